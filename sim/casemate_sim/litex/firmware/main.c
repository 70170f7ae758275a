/* A CPU boots from ROM, sets the engine up, and works in memory that lies encrypted in SDRAM. */
#include "board.h"
#include "casemate_memory.h"
#include "casemate_registers.h"

enum { CLAIMED = 64 * 1024, SIEVE = 16 * 1024, TEXT = 32 * 1024, ELSEWHERE = 48 * 1024 };
enum { LIMIT = 4096, INTEGRITY = 2 };

extern uint32_t payload[], payload_end[], payload_source[];

static const char diary[CASEMATE_LINE_BYTES] __attribute__((aligned(4))) =
    "Nobody at the pins of the memory can read this line of my diary";

/* Runs in main RAM, on main RAM. */
__attribute__((section(".payload"), noinline)) static uint32_t count_primes(volatile uint8_t *sieve) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < LIMIT; i++) sieve[i] = 1;
    for (uint32_t i = 2; i < LIMIT; i++) {
        if (!sieve[i]) continue;
        count++;
        for (uint32_t j = i + i; j < LIMIT; j += i) sieve[j] = 0;
    }
    return count;
}

/* Read so much of the same memory that nothing else is left in the caches. */
static void evict(void) {
    for (uint32_t at = 0; at < CLAIMED - ELSEWHERE; at += 32) {
        (void)REG(MEM_MAIN_RAM_BASE + ELSEWHERE + at);
    }
}

static void fail(const char *what) {
    put_text("FAILED: ");
    put_text(what);
    put_text("\n\004");
    for (;;) {}
}

static void boot(void) {
    uint32_t state;
    do {
        state = FIELD(ENGINE(KEY_STATE), KEY_STATE_STATE);
        if (state == CASEMATE_KEY_STATE_STATE_ERASED) fail("no keys");
    } while (state != CASEMATE_KEY_STATE_STATE_READY);
    put_text("boot: ");
    put_number(ENGINE(BOOT_CYCLES));
    put_text(" cycles\n");
}

static void create_domain(void) {
    ENGINE(DOMAIN) = DOMAIN_OF_CPU << CASEMATE_DOMAIN_DOMAIN_SHIFT | CASEMATE_DOMAIN_ENCRYPT_MASK
                   | CASEMATE_DOMAIN_AUTHENTICATE_MASK;
    ENGINE(DOMAIN_COMMAND) = CASEMATE_DOMAIN_COMMAND_CREATE_MASK;
    while (ENGINE(DOMAIN_COMMAND)) {}
    if (FIELD(ENGINE(DOMAIN_OUTCOME), DOMAIN_OUTCOME_RESULT) != 0) fail("domain");
    put_text("domain: ");
    put_number(DOMAIN_OF_CPU);
    put_text(", full\n");
}

/* A granule that nobody owns cannot be read, and the cache reads before it writes: one write to
   each, past the cache, takes it. */
static void claim(void) {
    for (uint32_t at = 0; at < CLAIMED; at += CASEMATE_GRANULE_BYTES) {
        REG(MEM_CASEMATE_DIRECT_BASE + at) = 0;
    }
    put_text("claimed: ");
    put_number(CLAIMED / CASEMATE_GRANULE_BYTES);
    put_text(" granules\n");
}

static void run_payload(void) {
    volatile uint32_t *target = (volatile uint32_t *)MEM_MAIN_RAM_BASE;
    uint32_t words = (uint32_t)(payload_end - payload);
    for (uint32_t i = 0; i < words; i++) target[i] = payload_source[i];
    __asm__ volatile("fence.i" ::: "memory");
    uint32_t count = count_primes((volatile uint8_t *)(MEM_MAIN_RAM_BASE + SIEVE));
    put_text("payload: ");
    put_number(count);
    put_text(" primes below ");
    put_number(LIMIT);
    put_text("\n");
}

static void write_diary(void) {
    volatile uint32_t *line = (volatile uint32_t *)(MEM_MAIN_RAM_BASE + TEXT);
    const uint32_t *words = (const uint32_t *)diary;
    for (uint32_t i = 0; i < CASEMATE_LINE_BYTES / 4; i++) line[i] = words[i];
    evict();
    ENGINE(COMMAND) = CASEMATE_COMMAND_FLUSH_MASK; /* leaves and nodes as well */
    while (ENGINE(COMMAND)) {}
    put_text("cpu: ");
    put_bytes(line, CASEMATE_LINE_BYTES / 4);
    put_text("dram: ");
    put_bytes((volatile uint32_t *)(MEM_PROBE_BASE + TEXT), CASEMATE_LINE_BYTES / 4);
    put_text("leaf: ");
    put_bytes((volatile uint32_t *)(MEM_PROBE_BASE + (uint32_t)CASEMATE_LEAVES_BASE
                                    + TEXT / CASEMATE_GRANULE_BYTES * CASEMATE_LINE_BYTES),
              CASEMATE_LINE_BYTES / 4);
}

/* The load is answered with an error, and an error resets the CPU: this does not return. */
static void tamper(void) {
    evict();
    put_text("tampered: one bit, in the SDRAM\n");
    REG(MEM_PROBE_BASE + TEXT) ^= 1;
    (void)REG(MEM_MAIN_RAM_BASE + TEXT);
    fail("a wrong byte got through");
}

/* The CPU was reset; engine and SDRAM are as they were. */
static void report(void) {
    put_text("restarted: the load was never answered\n");
    uint32_t entry = ENGINE(ERROR_ENTRY);
    if (FIELD(entry, ERROR_ENTRY_KIND) != CASEMATE_ERROR_ENTRY_KIND_LINE) fail("log");
    put_text("log: line, domain ");
    put_number(FIELD(entry, ERROR_ENTRY_DOMAIN));
    put_text(", address ");
    put_hex(ENGINE(ERROR_ADDRESS_LOW));
    put_text("\n");
    enable_interrupt();
    if (interrupts != INTEGRITY) fail("interrupt");
    put_text("interrupt: integrity\n");
    if (!FIELD(ENGINE(STATUS), STATUS_ENGINE_LOCKED)) fail("lock");
    put_text("engine: locked until reset\n");
    put_text("done\n\004");
    for (;;) {}
}

void main(void) {
    if (ENGINE(ID) != CASEMATE_ID_EXPECTED) fail("no engine");
    if (REG(CSR_CASEMATE_FAILED)) report();
    put_text("Casemate, configuration ");
    put_hex(ENGINE(DIGEST));
    put_text("\n");
    init_sdram();
    boot();
    create_domain();
    claim();
    run_payload();
    write_diary();
    tamper();
}
