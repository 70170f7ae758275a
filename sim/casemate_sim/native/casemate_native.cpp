// C interface of a simulation that plays a trace, with its read checker.
// Called from Python through ctypes (native/simulation.py) between stretches of cycles, never in them.

#include "engine.h"
#include "checker.h"
#include "Vcasemate_simulation__Dpi.h"

#pragma pack(push, 1)
struct Record {
    uint64_t line;
    uint32_t distance;
    uint8_t flags;
};
#pragma pack(pop)

namespace {

struct Sample {
    uint64_t cycle, read_beats, write_beats;
};

struct Simulation : EngineSimulation {
    Checker checker{CASEMATE_DATA_BITS};
    const uint8_t *records = nullptr;
    uint64_t record_count = 0, record_next = 0;
    uint64_t interval = 1024;
    std::vector<Sample> samples;

    Simulation() { start(); }

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

}  // namespace

extern "C" {

// -- called by the model ----------------------------------------------------------------------

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

// -- called from Python -----------------------------------------------------------------------

void *casemate_create() { return create<Simulation>(); }

void casemate_destroy(Simulation *simulation) { delete simulation; }

void casemate_configure(Simulation *simulation, const uint32_t *settings, uint64_t base_line,
                        uint64_t interval) {
    set_words(simulation->model->settings, settings);
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

// Every line that is going to be read holds write 0 of its line: all reads are checked.
void casemate_filled(Simulation *simulation) { simulation->checker.filled = true; }

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
