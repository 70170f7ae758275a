// The part of the C interface that all native libraries share.
// Called from Python through ctypes (native/model.py) between stretches of cycles, never in them.

#include "engine.h"
#include "Vcasemate_simulation__Dpi.h"

namespace {

EngineSimulation *self(long long handle) { return reinterpret_cast<EngineSimulation *>(handle); }

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

void casemate_root_written(long long handle, int index, long long value) {
    auto &root = self(handle)->root;
    if (root.size() <= size_t(index)) root.resize(size_t(index) + 1);
    root[size_t(index)] = uint64_t(value);
}

// -- called from Python -----------------------------------------------------------------------

const char *casemate_error(EngineSimulation *simulation) { return simulation->error.c_str(); }

void casemate_timing(EngineSimulation *simulation, const uint32_t *timing) {
    set_words(simulation->model->timing, timing);
}

// Start waveforms of the cycles from `from` up to, not including, `to`.
int casemate_trace(EngineSimulation *simulation, const char *path, uint64_t from, uint64_t to) {
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
int casemate_key(EngineSimulation *simulation, uint32_t slot, uint32_t name, const uint32_t *key) {
#if CASEMATE_ENGINE
    return guarded(simulation, [&] {
        auto &model = *simulation->model;
        model.key_slot = slot;
        model.key_name = name;
        set_words(model.key_value, key);
        model.key_valid = 1;
        simulation->tick();
        model.key_valid = 0;
        answered(*simulation, model.key_ready, "the engine does not accept a key");
        return 0;
    });
#else
    simulation->error = "there is no engine";
    return -1;
#endif
}

int casemate_slot(EngineSimulation *simulation, uint32_t slot, uint32_t domain, int encrypt,
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
        answered(*simulation, model.slot_ready, "the engine does not accept a slot");
        return 0;
    });
#else
    simulation->error = "there is no engine";
    return -1;
#endif
}

// Wait until the engine has nothing to do (its keys are expanded); 0, or -1 after `limit` cycles.
int casemate_wait_idle(EngineSimulation *simulation, uint64_t limit) {
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
int casemate_register(EngineSimulation *simulation, int write, uint32_t address, uint32_t *value) {
#if CASEMATE_TREE
    return guarded(simulation, [&] {
        auto &model = *simulation->model;
        model.register_write = write;
        model.register_address = address;
        model.register_value = *value;
        model.register_valid = 1;
        simulation->tick();
        model.register_valid = 0;
        answered(*simulation, model.register_ready, "no answer from the registers");
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
int casemate_load_root(EngineSimulation *simulation, const uint64_t *values, uint64_t count) {
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

void casemate_root(EngineSimulation *simulation, uint64_t *values, uint64_t count) {
    const auto &root = simulation->root;
    for (uint64_t index = 0; index < count; index++)
        values[index] = index < root.size() ? root[index] : 0;
}

// From now on the engine sleeps after `patience` inactive cycles of a run.
void casemate_let_sleep(EngineSimulation *simulation, uint64_t patience) {
    simulation->sleep.patience = patience;
}

uint64_t casemate_slept(EngineSimulation *simulation) { return simulation->sleep.slept; }

int casemate_ticks(EngineSimulation *simulation, uint64_t count) {
    return guarded(simulation, [&] {
        for (uint64_t i = 0; i < count; i++) simulation->tick();
        return 0;
    });
}

uint64_t casemate_cycle(EngineSimulation *simulation) { return simulation->cycle; }

void casemate_memory_read(EngineSimulation *simulation, uint64_t address, uint8_t *data,
                          uint64_t size) {
    simulation->memory.read(address, data, size);
}

void casemate_memory_write(EngineSimulation *simulation, uint64_t address, const uint8_t *data,
                           uint64_t size) {
    simulation->memory.write(address, data, size);
}

uint64_t casemate_memory_pages(EngineSimulation *simulation, uint64_t *addresses, uint64_t capacity) {
    const auto pages = simulation->memory.pages();
    if (addresses)
        std::memcpy(addresses, pages.data(), 8 * std::min<uint64_t>(capacity, pages.size()));
    return pages.size();
}

}  // extern "C"
