// Greets; the smallest program.
#include <stdio.h>

int main(void) {
    printf("Hello from protected memory.\n");
    return 0;
}
