/* The SoC's console, SDRAM and interrupt. */
#include "board.h"

enum { CS = 1, WE = 2, CAS = 4, RAS = 8 };               /* sdram_dfii_pi0_command */
enum { HARDWARE = 1, CKE = 2, ODT = 4, RESET_N = 8 };    /* sdram_dfii_control */
enum { PRECHARGE_ALL = RAS | WE | CS, MODE = RAS | CAS | WE | CS, REFRESH = RAS | CAS | CS };
enum { CAS_LATENCY = 2, ALL_BANKS = 1 << 10, MACHINE_EXTERNAL = 11, INTEGRITY = 2 };

volatile uint32_t interrupts;

static void put_char(char c) {
    while (REG(CSR_UART_TXFULL)) {}
    REG(CSR_UART_RXTX) = (uint8_t)c;
}

void put_text(const char *text) {
    for (; *text; text++) {
        if (*text == '\n') put_char('\r');
        put_char(*text);
    }
}

void put_number(uint32_t number) {
    if (number >= 10) put_number(number / 10);
    put_char((char)('0' + number % 10));
}

void put_hex(uint32_t number) {
    for (int shift = 28; shift >= 0; shift -= 4) put_char("0123456789abcdef"[number >> shift & 15]);
}

void put_bytes(const volatile uint32_t *words, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint32_t word = words[i];
        put_hex(word << 24 | (word & 0xff00) << 8 | (word >> 8 & 0xff00) | word >> 24);
    }
    put_text("\n");
}

static void wait(uint32_t rounds) {
    while (rounds--) __asm__ volatile("");
}

static void command(uint32_t bits, uint32_t address) {
    REG(CSR_SDRAM_DFII_PI0_ADDRESS) = address;
    REG(CSR_SDRAM_DFII_PI0_BADDRESS) = 0;
    REG(CSR_SDRAM_DFII_PI0_COMMAND) = bits;
    REG(CSR_SDRAM_DFII_PI0_COMMAND_ISSUE) = 1;
    wait(100);
}

void init_sdram(void) {
    REG(CSR_SDRAM_DFII_CONTROL) = CKE | ODT | RESET_N;
    wait(5000); /* 100 microseconds at 50 MHz or less */
    command(PRECHARGE_ALL, ALL_BANKS);
    command(REFRESH, 0);
    command(REFRESH, 0);
    command(MODE, CAS_LATENCY << 4); /* bursts of one */
    REG(CSR_SDRAM_DFII_CONTROL) = HARDWARE;
}

void enable_interrupt(void) {
    REG(CSR_CASEMATE_EV_ENABLE) = INTEGRITY;
    __asm__ volatile("csrw 0xbc0, %0" ::"r"(1 << IRQ_CASEMATE)); /* VexRiscv's mask of interrupts */
    __asm__ volatile("csrs mie, %0" ::"r"(1 << MACHINE_EXTERNAL));
    __asm__ volatile("csrsi mstatus, 8");
    wait(100);
}

/* The only interrupt; no exception is expected. */
__attribute__((interrupt("machine"), aligned(4))) void trap(void) {
    interrupts |= REG(CSR_CASEMATE_EV_PENDING);
    __asm__ volatile("csrw 0xbc0, zero");
}
