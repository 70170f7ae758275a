// What every native simulation has: a Verilated model, its DRAM content, and the ports of the engine.
#pragma once

#include "Vcasemate_simulation.h"
#include "memory.h"
#include "sleep.h"
#include "verilated.h"

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

// The base of each library's own `Simulation`; Python and the model hold its address.
struct EngineSimulation {
    VerilatedContext context;
    std::unique_ptr<Vcasemate_simulation> model;
    SparseMemory memory;
    uint64_t cycle = 0;
    Sleep sleep;
    std::vector<uint64_t> root;  // counters, as far as they were ever written
    std::string error;
#if CASEMATE_TRACE_FST || CASEMATE_TRACE_VCD
    std::unique_ptr<Tracer> tracer;
    uint64_t trace_from = 0, trace_to = 0;
#endif

    ~EngineSimulation() {
#if CASEMATE_TRACE_FST || CASEMATE_TRACE_VCD
        if (tracer) tracer->close();
#endif
    }

    // Out of reset; the model may call what the derived class answers, so that one calls it.
    void start() {
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
        sleep.before(*model);
        model->clk = 1;
        model->eval();
        sleep.after(*model);
        dump(2 * cycle);
        model->clk = 0;
        model->eval();
        dump(2 * cycle + 1);
        cycle++;
    }
};

// Null if the model does not start.
template <typename Simulation> Simulation *create() {
    try {
        return new Simulation;
    } catch (const std::exception &) {
        return nullptr;
    }
}

struct AssertionFailed : std::runtime_error {
    using std::runtime_error::runtime_error;
};

template <typename Action> int guarded(EngineSimulation *simulation, Action action) {
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

// After a request was put on a port of the engine: tick until it is answered.
template <typename Ready> void answered(EngineSimulation &simulation, const Ready &ready,
                                        const char *otherwise) {
    for (int i = 0; !ready; i++) {
        if (i == 100000) throw std::runtime_error(otherwise);
        simulation.tick();
    }
}
