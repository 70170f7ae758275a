// Tests memory: walking ones, each word's address, its inverse, random words, and bytes.
#include "casemate.h"

#include <stdio.h>

enum { WORDS = 2560 };

uint32_t working_set[WORDS];

static volatile uint32_t *const memory = working_set;

int main(void) {
    for (int bit = 0; bit < 32; bit++) {
        memory[bit * 16] = 1u << bit;
        memory[bit * 16 + 1] = ~(1u << bit);
    }
    for (int bit = 0; bit < 32; bit++)
        check(memory[bit * 16] == 1u << bit && memory[bit * 16 + 1] == ~(1u << bit),
              "walking ones");
    for (uint32_t i = 0; i < WORDS; i++) memory[i] = i * 4;
    for (uint32_t i = 0; i < WORDS; i++) {
        check(memory[i] == i * 4, "each word holds its address");
        memory[i] = ~(i * 4);
    }
    for (uint32_t i = WORDS; i-- > 0;) check(memory[i] == ~(i * 4), "or the inverse of it");
    uint32_t state = 3;
    for (uint32_t i = 0; i < WORDS; i += 3) memory[i] = next_random(&state);
    state = 3;
    for (uint32_t i = 0; i < WORDS; i++)
        check(memory[i] == (i % 3 ? ~(i * 4) : next_random(&state)), "random words among them");
    volatile uint8_t *bytes = (volatile uint8_t *)memory;
    for (uint32_t i = 0; i < 2048; i += 5) bytes[i] = (uint8_t)(i * 3);
    for (uint32_t i = 0; i < 2048; i += 5)
        check(bytes[i] == (uint8_t)(i * 3), "bytes are written alone");
    printf("memtest: %d words, no error\n", WORDS);
    return 0;
}
