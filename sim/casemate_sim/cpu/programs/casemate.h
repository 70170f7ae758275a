// What a program finds beside its memory; the registers are those of cpu/hardware/devices.py.
//
// A program's most used data is called `working_set`: an attack aims at it if it is not told otherwise.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DEVICES ((volatile uint32_t *)0xf0000000)

enum { CONSOLE, EXIT, CYCLE_LOW, CYCLE_HIGH, WRITE_FAILED, CORE };

// Where the shell would see a program that SIGBUS ended.
enum { BUS_ERROR_CODE = 135, TRAP_CODE = 132 };

// Ends the program with code 1 and a message if a condition does not hold.
void check(int condition, const char *what);

// Pseudorandom numbers, the same ones in every run (xorshift, Marsaglia 2003).
static inline uint32_t next_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

// Folds a word into a checksum (FNV-1a, four bytes at a time).
static inline uint32_t fold(uint32_t sum, uint32_t word) { return (sum ^ word) * 16777619u; }
