// Pointer chase: every load waits for the one before, in random order over 64 KiB.
#include "casemate.h"

#include <stdio.h>

enum { NODES = 1024, STEPS = 1500 };

struct node {
    uint32_t next, visits;
    uint32_t rest[14];  // one node in a line
};
_Alignas(64) struct node working_set[NODES];

int main(void) {
    // Sattolo's shuffle: one cycle through all nodes.
    uint32_t state = 1;
    for (uint32_t i = 0; i < NODES; i++) working_set[i].next = i;
    for (uint32_t i = NODES - 1; i > 0; i--) {
        const uint32_t other = next_random(&state) % i, kept = working_set[i].next;
        working_set[i].next = working_set[other].next;
        working_set[other].next = kept;
    }
    uint32_t place = 0;
    for (int step = 0; step < STEPS; step++) {
        working_set[place].visits++;
        place = working_set[place].next;
    }
    uint32_t most = 0, least = STEPS, total = 0;
    for (uint32_t i = 0; i < NODES; i++) {
        const uint32_t visits = working_set[i].visits;
        most = visits > most ? visits : most;
        least = visits < least ? visits : least;
        total += visits;
    }
    check(total == STEPS && most - least <= 1, "the pointers form one cycle");
    printf("chase: %d steps, end at node %lu\n", STEPS, (unsigned long)place);
    return 0;
}
