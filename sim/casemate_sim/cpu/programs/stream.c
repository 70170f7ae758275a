// The four loops of bandwidth measurement: copy, scale, add, triad, on integers.
#include "casemate.h"

#include <stdio.h>

enum { COUNT = 1024, ROUNDS = 1 };

uint32_t working_set[COUNT];
static uint32_t second[COUNT] __attribute__((aligned(64)));
static uint32_t third[COUNT] __attribute__((aligned(64)));

int main(void) {
    uint32_t *a = working_set, *b = second, *c = third;
    for (uint32_t i = 0; i < COUNT; i++) a[i] = i, b[i] = 2 * i, c[i] = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < COUNT; i++) c[i] = a[i];
        for (int i = 0; i < COUNT; i++) b[i] = 3 * c[i];
        for (int i = 0; i < COUNT; i++) c[i] = a[i] + b[i];
        for (int i = 0; i < COUNT; i++) a[i] = b[i] + 3 * c[i];
    }
    // Each round makes 15 times the value before: 3 + 3 * (1 + 3).
    uint32_t factor = 1;
    for (int round = 0; round < ROUNDS; round++) factor *= 15;
    for (uint32_t i = 0; i < COUNT; i++) check(a[i] == factor * i, "a is what the loops make");
    printf("stream: %d round over 3 arrays of %d words\n", ROUNDS, COUNT);
    return 0;
}
