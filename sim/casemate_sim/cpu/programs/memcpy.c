// Copies 6 KiB to and fro, not aligned, and compares.
#include "casemate.h"

#include <stdio.h>
#include <string.h>

enum { SIZE = 6144, ROUNDS = 1 };

uint8_t working_set[SIZE];
static uint8_t target[SIZE + 8] __attribute__((aligned(64)));

int main(void) {
    uint32_t state = 7, sum = 2166136261u;
    for (int i = 0; i < SIZE; i += 4) {
        const uint32_t word = next_random(&state);
        memcpy(&working_set[i], &word, 4);
    }
    for (int round = 0; round < ROUNDS; round++) {
        memcpy(target + round + 1, working_set, SIZE);
        check(memcmp(target + round + 1, working_set, SIZE) == 0, "the copy is the original");
        memmove(working_set, target + round + 1, SIZE);
        working_set[round * 1000] ^= 0xff;
    }
    for (int i = 0; i < SIZE; i += 4) {
        uint32_t word;
        memcpy(&word, &working_set[i], 4);
        sum = fold(sum, word);
    }
    printf("memcpy: %d copies of %d bytes, checksum %08lx\n", 2 * ROUNDS, SIZE,
           (unsigned long)sum);
    return 0;
}
