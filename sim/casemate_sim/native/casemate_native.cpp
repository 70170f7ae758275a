// C interface of one simulation: a Verilated model, its DRAM content and its read checker.
// Called from Python through ctypes (native/library.py) between stretches of cycles, never in them.

#include "Vcasemate_simulation.h"
#include "checker.h"
#include "memory.h"
#include "verilated.h"
#include "Vcasemate_simulation__Dpi.h"

#if CASEMATE_TRACE_FST
#include "verilated_fst_c.h"
using Tracer = VerilatedFstC;
#elif CASEMATE_TRACE_VCD
#include "verilated_vcd_c.h"
using Tracer = VerilatedVcdC;
#endif

#include <memory>
#include <stdexcept>
#include <string>

#pragma pack(push, 1)
struct Record {
    uint64_t line;
    uint32_t distance;
    uint8_t flags;
};
#pragma pack(pop)

namespace {

// Ports of any width as 32-bit words, least significant first.
template <typename Port> void set_words(Port &port, const uint32_t *words) {
    if constexpr (sizeof(Port) <= 4) {
        port = Port(words[0]);
    } else if constexpr (sizeof(Port) == 8) {
        port = uint64_t(words[0]) | uint64_t(words[1]) << 32;
    } else {
        for (size_t i = 0; i < sizeof(Port) / 4; i++) port[i] = words[i];
    }
}

template <typename Port> void get_words(const Port &port, uint32_t *words) {
    for (size_t i = 0; i < sizeof(Port) / 4; i++) words[i] = port[i];
}

struct Sample {
    uint64_t cycle, read_beats, write_beats;
};

struct Simulation {
    VerilatedContext context;
    std::unique_ptr<Vcasemate_simulation> model;
    SparseMemory memory;
    Checker checker{CASEMATE_DATA_BITS};
    const uint8_t *records = nullptr;
    uint64_t record_count = 0, record_next = 0;
    uint64_t cycle = 0, interval = 1024;
    std::vector<Sample> samples;
    std::vector<uint64_t> root;  // counters, as far as they were ever written
    std::string error;
#if CASEMATE_TRACE_FST || CASEMATE_TRACE_VCD
    std::unique_ptr<Tracer> tracer;
    uint64_t trace_from = 0, trace_to = 0;
#endif

    Simulation() {
        context.traceEverOn(CASEMATE_TRACE_FST || CASEMATE_TRACE_VCD);
        model = std::make_unique<Vcasemate_simulation>(&context);
        model->handle = reinterpret_cast<uint64_t>(this);
        model->rst = 1;
        model->run = 0;
        for (int i = 0; i < 4; i++) tick();
        model->rst = 0;
        tick();
        tick();
        cycle = 0;
    }

    void dump(uint64_t time) {
#if CASEMATE_TRACE_FST || CASEMATE_TRACE_VCD
        if (tracer && cycle >= trace_from && cycle < trace_to) tracer->dump(time);
#endif
    }

    void tick() {
        model->clk = 1;
        model->eval();
        dump(2 * cycle);
        model->clk = 0;
        model->eval();
        dump(2 * cycle + 1);
        cycle++;
    }

    uint64_t counter(int index) const {
        // Fields of COUNTERS are 48 bits each.
        uint64_t value = 0;
        for (int bit = 0; bit < 48; bit++) {
            const int place = 48 * index + bit;
            value |= uint64_t(model->counters[place / 32] >> (place % 32) & 1) << bit;
        }
        return value;
    }
};

Simulation *self(long long handle) { return reinterpret_cast<Simulation *>(handle); }

struct AssertionFailed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

template <typename Action> int guarded(Simulation *simulation, Action action) {
    try {
        return action();
    } catch (const AssertionFailed &failure) {
        simulation->error = "cycle " + std::to_string(simulation->cycle) + ": " + failure.what();
        return -1;
    } catch (const std::exception &failure) {
        simulation->error = failure.what();
        return -1;
    }
}

}  // namespace

// An assertion without a message; Verilator's default is to end the process.
void vl_stop(const char *file, int line, const char *) {
    throw AssertionFailed(std::string("an assertion failed at ") + file + ":"
                          + std::to_string(line));
}
void vl_fatal(const char *file, int line, const char *, const char *message) {
    throw std::runtime_error(std::string(message) + " (" + file + ":" + std::to_string(line)
                             + ")");
}

extern "C" {

// -- called by the model ----------------------------------------------------------------------

void casemate_failed(const char *message) { throw AssertionFailed(message); }

void casemate_dram_read(long long handle, long long address, svBitVecVal *data) {
    self(handle)->memory.read(address, reinterpret_cast<uint8_t *>(data), CASEMATE_DATA_BITS / 8);
}

void casemate_dram_write(long long handle, long long address, const svBitVecVal *data,
                         long long strobe) {
    self(handle)->memory.write_strobed(address, reinterpret_cast<const uint8_t *>(data), strobe,
                                       CASEMATE_DATA_BITS / 8);
}

int casemate_next_record(long long handle, long long *line, int *distance, int *flags) {
    Simulation *simulation = self(handle);
    *line = *distance = *flags = 0;
    if (simulation->record_next == simulation->record_count) return 0;
    Record record;
    std::memcpy(&record, simulation->records + sizeof(Record) * simulation->record_next++,
                sizeof(Record));
    *line = record.line, *distance = record.distance, *flags = record.flags;
    return 1;
}

void casemate_read_issued(long long handle, int id, long long address) {
    self(handle)->checker.read_issued(id, address);
}

void casemate_write_issued(long long handle, int id, long long address) {
    self(handle)->checker.write_issued(id, address);
}

void casemate_read_beat(long long handle, int id, const svBitVecVal *data, int response,
                        int last) {
    Simulation *simulation = self(handle);
    simulation->checker.read_beat(id, reinterpret_cast<const uint8_t *>(data), response, last,
                                  simulation->cycle);
}

void casemate_write_answered(long long handle, int id, int response) {
    self(handle)->checker.write_answered(id, response);
}

void casemate_root_written(long long handle, int index, long long value) {
    auto &root = self(handle)->root;
    if (root.size() <= size_t(index)) root.resize(size_t(index) + 1);
    root[size_t(index)] = uint64_t(value);
}

// -- called from Python -----------------------------------------------------------------------

void *casemate_create() {
    try {
        return new Simulation;
    } catch (const std::exception &) {
        return nullptr;
    }
}

void casemate_destroy(Simulation *simulation) {
#if CASEMATE_TRACE_FST || CASEMATE_TRACE_VCD
    if (simulation->tracer) simulation->tracer->close();
#endif
    delete simulation;
}

const char *casemate_error(Simulation *simulation) { return simulation->error.c_str(); }

void casemate_configure(Simulation *simulation, const uint32_t *settings, const uint32_t *timing,
                        uint64_t base_line, uint64_t interval) {
    set_words(simulation->model->settings, settings);
    set_words(simulation->model->timing, timing);
    simulation->checker.base = base_line;
    simulation->interval = interval;
}

// The records stay the caller's; they must live as long as the run.
void casemate_records(Simulation *simulation, const uint8_t *records, uint64_t count) {
    simulation->records = records;
    simulation->record_count = count;
    simulation->record_next = 0;
}

uint64_t casemate_records_taken(Simulation *simulation) { return simulation->record_next; }

// Start waveforms of the cycles from `from` up to, not including, `to`.
int casemate_trace(Simulation *simulation, const char *path, uint64_t from, uint64_t to) {
#if CASEMATE_TRACE_FST || CASEMATE_TRACE_VCD
    return guarded(simulation, [&] {
        simulation->tracer = std::make_unique<Tracer>();
        simulation->model->trace(simulation->tracer.get(), 99);
        simulation->tracer->open(path);
        simulation->trace_from = from, simulation->trace_to = to;
        return simulation->tracer->isOpen() ? 0 : -1;
    });
#else
    (void)path, (void)from, (void)to;
    simulation->error = "this library was built without waveforms";
    return -1;
#endif
}

// Returns 0, or -1 if the engine does not take the key within 100000 cycles.
int casemate_key(Simulation *simulation, uint32_t slot, uint32_t name, const uint32_t *key) {
#if CASEMATE_ENGINE
    return guarded(simulation, [&] {
        auto &model = *simulation->model;
        model.key_slot = slot;
        model.key_name = name;
        set_words(model.key_value, key);
        model.key_valid = 1;
        simulation->tick();
        model.key_valid = 0;
        for (int i = 0; !model.key_ready; i++) {
            if (i == 100000) throw std::runtime_error("the engine does not accept a key");
            simulation->tick();
        }
        return 0;
    });
#else
    simulation->error = "there is no engine";
    return -1;
#endif
}

int casemate_slot(Simulation *simulation, uint32_t slot, uint32_t domain, int encrypt,
                  int authenticate) {
#if CASEMATE_ENGINE
    return guarded(simulation, [&] {
        auto &model = *simulation->model;
        model.slot_slot = slot;
        model.slot_enable = 1;
        model.slot_domain = domain;
        model.slot_encrypt = encrypt;
        model.slot_authenticate = authenticate;
        model.slot_valid = 1;
        simulation->tick();
        model.slot_valid = 0;
        for (int i = 0; !model.slot_ready; i++) {
            if (i == 100000) throw std::runtime_error("the engine does not accept a slot");
            simulation->tick();
        }
        return 0;
    });
#else
    simulation->error = "there is no engine";
    return -1;
#endif
}

// Wait until the engine has nothing to do (its keys are expanded); 0, or -1 after `limit` cycles.
int casemate_wait_idle(Simulation *simulation, uint64_t limit) {
#if CASEMATE_ENGINE
    return guarded(simulation, [&] {
        for (uint64_t i = 0; i < limit; i++) {
            if (simulation->model->engine_idle) return 0;
            simulation->tick();
        }
        throw std::runtime_error("the engine does not become idle");
        return -1;
    });
#else
    (void)limit;
    return simulation ? 0 : -1;
#endif
}

// One access to a register; returns xRESP, or -1 if there is no answer within 100000 cycles.
int casemate_register(Simulation *simulation, int write, uint32_t address, uint32_t *value) {
#if CASEMATE_TREE
    return guarded(simulation, [&] {
        auto &model = *simulation->model;
        model.register_write = write;
        model.register_address = address;
        model.register_value = *value;
        model.register_valid = 1;
        simulation->tick();
        model.register_valid = 0;
        for (int i = 0; !model.register_ready; i++) {
            if (i == 100000) throw std::runtime_error("no answer from the registers");
            simulation->tick();
        }
        if (!write) *value = model.register_result;
        return int(model.register_response);
    });
#else
    (void)write, (void)address, (void)value;
    simulation->error = "there are no registers";
    return -1;
#endif
}

// Set root counters 0 to count - 1, as far as they are not zero.
int casemate_load_root(Simulation *simulation, const uint64_t *values, uint64_t count) {
#if CASEMATE_TREE
    return guarded(simulation, [&] {
        auto &model = *simulation->model;
        for (uint64_t index = 0; index < count; index++) {
            if (!values[index]) continue;
            model.root_index = index;
            model.root_value = values[index];
            model.root_load = 1;
            simulation->tick();
        }
        model.root_load = 0;
        simulation->tick();
        simulation->tick();
        return 0;
    });
#else
    (void)values, (void)count;
    simulation->error = "there is no root";
    return -1;
#endif
}

void casemate_root(Simulation *simulation, uint64_t *values, uint64_t count) {
    const auto &root = simulation->root;
    for (uint64_t index = 0; index < count; index++)
        values[index] = index < root.size() ? root[index] : 0;
}

// Every line that is going to be read holds write 0 of its line: all reads are checked.
void casemate_filled(Simulation *simulation) { simulation->checker.filled = true; }

int casemate_ticks(Simulation *simulation, uint64_t count) {
    return guarded(simulation, [&] {
        for (uint64_t i = 0; i < count; i++) simulation->tick();
        return 0;
    });
}

// Play on for at most `cycles`. Returns 1 when everything is answered, 0 if there is more to do.
int casemate_run(Simulation *simulation, uint64_t cycles) {
    return guarded(simulation, [&] {
        auto &model = *simulation->model;
        model.run = 1;
        for (uint64_t i = 0; i < cycles; i++) {
            simulation->tick();
            if (simulation->cycle % simulation->interval == 0)
                simulation->samples.push_back(
                    {simulation->cycle, simulation->counter(4), simulation->counter(5)});
            if (model.done) return 1;
        }
        return 0;
    });
}

uint64_t casemate_cycle(Simulation *simulation) { return simulation->cycle; }

void casemate_counters(Simulation *simulation, uint64_t *values, int count) {
    for (int i = 0; i < count; i++) values[i] = simulation->counter(i);
}

int casemate_histogram(Simulation *simulation, int which, uint32_t *bins, int count) {
    return guarded(simulation, [&] {
        auto &model = *simulation->model;
        model.run = 0;
        model.histogram = which;
        simulation->tick();
        for (int i = 0; i < count; i++) {
            model.bin = i;
            simulation->tick();  // into the register
            simulation->tick();  // out of the RAM
            bins[i] = model.count;
        }
        return 0;
    });
}

uint64_t casemate_samples(Simulation *simulation, uint64_t *values, uint64_t capacity) {
    const auto &samples = simulation->samples;
    if (values)
        std::memcpy(values, samples.data(),
                    sizeof(Sample) * std::min<uint64_t>(capacity, samples.size()));
    return samples.size();
}

void casemate_memory_read(Simulation *simulation, uint64_t address, uint8_t *data,
                          uint64_t size) {
    simulation->memory.read(address, data, size);
}

void casemate_memory_write(Simulation *simulation, uint64_t address, const uint8_t *data,
                           uint64_t size) {
    simulation->memory.write(address, data, size);
}

uint64_t casemate_memory_pages(Simulation *simulation, uint64_t *addresses, uint64_t capacity) {
    const auto pages = simulation->memory.pages();
    if (addresses)
        std::memcpy(addresses, pages.data(), 8 * std::min<uint64_t>(capacity, pages.size()));
    return pages.size();
}

// checked, unknown, refused, failed; the first errors.
uint64_t casemate_check(Simulation *simulation, uint64_t counts[4], ReadError *errors,
                        uint64_t capacity) {
    const Checker &checker = simulation->checker;
    counts[0] = checker.checked, counts[1] = checker.unknown;
    counts[2] = checker.refused, counts[3] = checker.failed;
    const uint64_t size = std::min<uint64_t>(capacity, checker.errors.size());
    std::copy_n(checker.errors.begin(), size, errors);
    return size;
}

// Pairs of line and sequence number of the newest write.
uint64_t casemate_written(Simulation *simulation, uint64_t *pairs, uint64_t capacity) {
    const auto newest = simulation->checker.newest();
    if (pairs) std::memcpy(pairs, newest.data(), 16 * std::min<uint64_t>(capacity, newest.size()));
    return newest.size();
}

}  // extern "C"
