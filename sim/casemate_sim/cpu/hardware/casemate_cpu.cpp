// C interface of a simulation in which a core runs a program.
// Called from Python through ctypes (cpu/simulation.py) between stretches of cycles, never in them.

#include "engine.h"
#include "Vcasemate_simulation__Dpi.h"

namespace {

struct Simulation : EngineSimulation {
    std::string output;
    bool finished = false;
    uint32_t code = 0;
    uint64_t started = 0, ran = 0;  // cycles: when the core started, how many it took

    Simulation() { start(); }
};

Simulation *self(long long handle) { return reinterpret_cast<Simulation *>(handle); }

}  // namespace

extern "C" {

// -- called by the model ----------------------------------------------------------------------

void casemate_character(long long handle, int value) { self(handle)->output.push_back(value); }

void casemate_finished(long long handle, int code) {
    Simulation *simulation = self(handle);
    if (simulation->finished) return;
    simulation->finished = true;
    simulation->code = uint32_t(code);
}

// -- called from Python -----------------------------------------------------------------------

void *casemate_create() { return create<Simulation>(); }

void casemate_destroy(Simulation *simulation) { delete simulation; }

// Run on for at most `cycles`. Returns 1 when the program is over, 0 if it goes on.
int casemate_run(Simulation *simulation, uint64_t cycles) {
    return guarded(simulation, [&] {
        if (!simulation->model->run) simulation->started = simulation->cycle;
        simulation->model->run = 1;
        for (uint64_t i = 0; i < cycles && !simulation->finished; i++) simulation->tick();
        simulation->ran = simulation->cycle - simulation->started;
        return int(simulation->finished);
    });
}

uint64_t casemate_ran(Simulation *simulation) { return simulation->ran; }

uint32_t casemate_code(Simulation *simulation) { return simulation->code; }

// Takes what the program has written since the last call, at most `capacity` bytes of it.
uint64_t casemate_output(Simulation *simulation, char *text, uint64_t capacity) {
    const uint64_t size = std::min<uint64_t>(capacity, simulation->output.size());
    std::memcpy(text, simulation->output.data(), size);
    simulation->output.erase(0, size);
    return size;
}

}  // extern "C"
