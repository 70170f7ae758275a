// Sorts 1536 numbers in place, and finds those of a copy on the heap again by bisection.
#include "casemate.h"

#include <stdio.h>
#include <stdlib.h>

enum { COUNT = 1536 };

uint32_t working_set[COUNT];

static void sort(uint32_t *first, uint32_t *last) {
    while (first < last) {
        const uint32_t pivot = first[(last - first) / 2];
        uint32_t *low = first, *high = last;
        while (low <= high) {
            while (*low < pivot) low++;
            while (*high > pivot) high--;
            if (low <= high) {
                const uint32_t kept = *low;
                *low++ = *high;
                *high-- = kept;
            }
        }
        // The smaller part by recursion, so that the stack stays small.
        if (high - first < last - low) {
            sort(first, high);
            first = low;
        } else {
            sort(low, last);
            last = high;
        }
    }
}

int main(void) {
    uint32_t state = 42, before = 0, after = 0;
    uint32_t *copy = malloc(sizeof working_set);
    check(copy != NULL, "there is room on the heap");
    for (int i = 0; i < COUNT; i++) {
        working_set[i] = copy[i] = next_random(&state);
        before += working_set[i];
    }
    sort(working_set, working_set + COUNT - 1);
    for (int i = 0; i < COUNT; i++) {
        check(i == 0 || working_set[i - 1] <= working_set[i], "the numbers ascend");
        after += working_set[i];
    }
    check(before == after, "the numbers are those from before");
    for (int i = 0; i < COUNT; i += 64) {
        int low = 0, high = COUNT - 1;
        while (low < high) {
            const int middle = (low + high) / 2;
            if (working_set[middle] < copy[i]) low = middle + 1;
            else high = middle;
        }
        check(working_set[low] == copy[i], "each number is found again");
    }
    free(copy);
    printf("quicksort: %d numbers, smallest %08lx, largest %08lx\n", COUNT,
           (unsigned long)working_set[0], (unsigned long)working_set[COUNT - 1]);
    return 0;
}
