/* What the program needs from the SoC: registers, console, SDRAM, interrupt. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

#include "soc.h"

#define REG(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define ENGINE(register) REG(MEM_CASEMATE_REGISTERS_BASE + CASEMATE_##register)

/* The value of a field of one of the engine's registers. */
#define FIELD(value, name) (((value) & CASEMATE_##name##_MASK) >> CASEMATE_##name##_SHIFT)

void put_text(const char *text);
void put_number(uint32_t number);
void put_hex(uint32_t number);
void put_bytes(const volatile uint32_t *words, uint32_t count);

/* Bring the SDRAM out of power-down: what JEDEC asks for, through LiteDRAM's injector. */
void init_sdram(void);

/* Let the engine's alert of integrity interrupt. */
void enable_interrupt(void);

/* Events of the engine's module that interrupted. */
extern volatile uint32_t interrupts;

#endif
