// Integer work of the kind that Dhrystone is known for: records, strings, calls, branches.
#include "casemate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 100, RECORDS = 32 };
enum colour { RED, GREEN, BLUE };

struct record {
    struct record *next;
    enum colour colour;
    int number;
    char text[32];
};

struct record *working_set[RECORDS];

static enum colour after(enum colour colour) {
    switch (colour) {
        case RED: return GREEN;
        case GREEN: return BLUE;
        default: return RED;
    }
}

static int exchange(struct record *a, struct record *b) {
    const struct record kept = *a;
    strcpy(a->text, b->text);
    a->number = b->number + 1;
    a->colour = after(b->colour);
    strcpy(b->text, kept.text);
    b->number = kept.number - 1;
    b->colour = after(kept.colour);
    return strcmp(a->text, b->text);
}

int main(void) {
    uint32_t state = 99, sum = 2166136261u;
    int order = 0;
    for (int i = 0; i < RECORDS; i++) {
        struct record *record = malloc(sizeof *record);
        check(record != NULL, "there is room on the heap");
        record->next = i ? working_set[i - 1] : NULL;
        record->colour = (enum colour)(i % 3);
        record->number = i;
        snprintf(record->text, sizeof record->text, "RECORD %02d OF THE SET", i);
        working_set[i] = record;
    }
    for (int round = 0; round < ROUNDS; round++) {
        const uint32_t numbers = next_random(&state);
        struct record *a = working_set[numbers % RECORDS];
        struct record *b = working_set[numbers / RECORDS % RECORDS];
        if (a == b) b = b->next ? b->next : working_set[RECORDS - 1];
        order += exchange(a, b) > 0 ? 1 : -1;
        if (a->colour == BLUE && strchr(b->text, '7')) a->number = a->number * 7 % 1009;
    }
    int count = 0;
    for (struct record *record = working_set[RECORDS - 1]; record; record = record->next) {
        sum = fold(sum, (uint32_t)record->number * 4 + record->colour);
        for (const char *c = record->text; *c; c++) sum = fold(sum, (uint32_t)*c);
        count++;
    }
    check(count == RECORDS, "the list is whole");
    printf("integer: %d rounds, order %d, checksum %08lx\n", ROUNDS, order, (unsigned long)sum);
    return 0;
}
