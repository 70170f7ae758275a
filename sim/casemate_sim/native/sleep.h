// When a `SleepingEngine` (sleep.py) is evaluated. Without an engine all of this is empty.
#pragma once

#include <cstdint>

struct Sleep {
    static constexpr uint64_t never = UINT64_MAX;
    uint64_t patience = never;  // inactive cycles after which the engine sleeps
    uint64_t quiet = 0;         // cycles that it has been inactive
    uint64_t slept = 0;         // cycles that it slept

    bool awake() const { return quiet <= patience; }

#if CASEMATE_ENGINE
    // Before a clock edge. While the host waits, the harness changes what it likes: nobody sleeps.
    template <typename Model> void before(Model &model) {
        quiet = model.engine_active || !model.run ? 0 : quiet + 1;
        if (!awake()) slept++;
        else if (model.engine_stale) feed(model);
    }

    // Behind it, while `clk` is high; the engine's own edge.
    template <typename Model> void after(Model &model) {
        if (!awake()) return;
        model.engine_clk = 1;
        feed(model);
        model.engine_clk = 0;
    }

private:
    // Give the engine its inputs, until they do not answer to its outputs any more.
    template <typename Model> static void feed(Model &model) {
        for (;;) {
            model.engine_feed = 1;
            model.eval();
            model.engine_feed = 0;
            if (!model.engine_stale) return;
            model.eval();
        }
    }
#else
    template <typename Model> void before(Model &) {}
    template <typename Model> void after(Model &) {}
#endif
};
