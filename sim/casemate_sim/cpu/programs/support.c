// Terminal, end and traps; everything else is picolibc's.

#include "casemate.h"

#include <stdio.h>
#include <stdlib.h>

static int put(char character, FILE *file) {
    (void)file;
    DEVICES[CONSOLE] = (unsigned char)character;
    return character;
}

static FILE terminal = FDEV_SETUP_STREAM(put, NULL, NULL, _FDEV_SETUP_WRITE);
FILE *const stdin = &terminal, *const stdout = &terminal, *const stderr = &terminal;

void _exit(int code) {
    DEVICES[EXIT] = (uint32_t)code;
    for (;;) {}
}

void check(int condition, const char *what) {
    if (condition) return;
    printf("WRONG: %s\n", what);
    _exit(1);
}

static void give_up(int bus_error, const char *what, uint32_t place) {
    printf("TRAP: %s, at instruction %#lx\n", what, (unsigned long)place);
    _exit(bus_error ? BUS_ERROR_CODE : TRAP_CODE);
}

// Of a core with the privileged architecture (volume II, mcause).
void trap(uint32_t cause, uint32_t place, uint32_t address) {
    static const char *const names[] = {
        [0] = "misaligned instruction", [1] = "bus error: instruction fetch",
        [2] = "illegal instruction", [3] = "breakpoint", [4] = "misaligned load",
        [5] = "bus error: load", [6] = "misaligned store", [7] = "bus error: store",
        [11] = "environment call",
    };
    if (cause >> 31) give_up(1, "bus error: write or write-back, imprecise", place);
    if (cause == 5) printf("TRAP: the load was from %#lx\n", (unsigned long)address);
    const char *name = cause < sizeof names / sizeof *names ? names[cause] : NULL;
    give_up(cause == 1 || cause == 5 || cause == 7, name ? name : "unknown trap", place);
}

// Of PicoRV32: bit 1 is an illegal instruction, 2 a misaligned access, 3 a refused one.
void trap_picorv32(uint32_t pending, uint32_t place) {
    if (pending & 8) give_up(1, "bus error, imprecise", place);
    give_up(0, pending & 4 ? "misaligned access" : "illegal instruction", place);
}
