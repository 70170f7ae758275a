// The mixture of kernels that CoreMark is known for: a list, a matrix, a state machine, a CRC.
#include "casemate.h"

#include <stdio.h>

enum { ITEMS = 128, SIDE = 12, ROUNDS = 1 };

struct item {
    struct item *next;
    uint32_t key, value;
};
struct item working_set[ITEMS];
static int32_t a[SIDE][SIDE], b[SIDE][SIDE], c[SIDE][SIDE];

static uint16_t crc(uint16_t sum, uint32_t word) {
    for (int bit = 0; bit < 32; bit++, word >>= 1)  // CRC-16 of IBM, reflected
        sum = (uint16_t)(sum >> 1 ^ ((sum ^ word) & 1 ? 0xa001 : 0));
    return sum;
}

static struct item *merged(struct item *left, struct item *right) {
    struct item *first = NULL, **end = &first;
    while (left && right) {
        struct item **smaller = left->key <= right->key ? &left : &right;
        *end = *smaller;
        *smaller = (*smaller)->next;
        end = &(*end)->next;
    }
    *end = left ? left : right;
    return first;
}

static struct item *sorted(struct item *list, int count) {
    if (count < 2) {
        if (list) list->next = NULL;
        return list;
    }
    struct item *half = list;
    for (int i = 0; i < count / 2; i++) half = half->next;
    struct item *right = sorted(half, count - count / 2);
    return merged(sorted(list, count / 2), right);
}

// Counts the numbers of a text: decimal, hexadecimal, and what is none.
static uint32_t numbers(const char *text) {
    enum { GAP, DIGITS, ZERO, HEX, OTHER } state = GAP;
    uint32_t decimal = 0, hexadecimal = 0, others = 0;
    for (;; text++) {
        const char symbol = *text;
        if (symbol == ',' || symbol == '\0') {
            decimal += state == DIGITS || state == ZERO;
            hexadecimal += state == HEX;
            others += state == OTHER;
            state = GAP;
            if (!symbol) return decimal << 16 | hexadecimal << 8 | others;
            continue;
        }
        const int digit = symbol >= '0' && symbol <= '9';
        switch (state) {
            case GAP: state = symbol == '0' ? ZERO : digit ? DIGITS : OTHER; break;
            case ZERO: state = symbol == 'x' ? HEX : digit ? DIGITS : OTHER; break;
            case DIGITS: if (!digit) state = OTHER; break;
            case HEX: if (!digit && !(symbol >= 'a' && symbol <= 'f')) state = OTHER; break;
            case OTHER: break;
        }
    }
}

int main(void) {
    uint32_t random = 5;
    uint16_t sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < ITEMS; i++)
            working_set[i] = (struct item){i + 1 < ITEMS ? &working_set[i + 1] : NULL,
                                           next_random(&random), (uint32_t)i};
        struct item *list = sorted(working_set, ITEMS);
        int count = 0;
        for (struct item *item = list; item; item = item->next, count++) {
            check(!item->next || item->key <= item->next->key, "the list ascends");
            sum = crc(sum, item->value);
        }
        check(count == ITEMS, "the list is whole");

        for (int i = 0; i < SIDE; i++)
            for (int j = 0; j < SIDE; j++)
                a[i][j] = (int32_t)(next_random(&random) % 200) - 100, b[i][j] = i == j;
        for (int i = 0; i < SIDE; i++)
            for (int j = 0; j < SIDE; j++) {
                c[i][j] = 0;
                for (int k = 0; k < SIDE; k++) c[i][j] += a[i][k] * b[k][j];
                check(c[i][j] == a[i][j], "the unit matrix changes nothing");
                sum = crc(sum, (uint32_t)c[i][j]);
            }
        const uint32_t found = numbers("12,0x1f,seven,0,0xg,99999,0xabc,-,8");
        check(found == (4 << 16 | 2 << 8 | 3), "four decimal, two hexadecimal, three others");
        sum = crc(sum, found);
    }
    printf("mixed: %d round, CRC %04x\n", ROUNDS, sum);
    return 0;
}
