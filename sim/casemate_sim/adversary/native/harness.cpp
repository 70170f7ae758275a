// One exported engine between an AXI4 host and a DRAM whose every line passes through a hook.
// Called from Python through ctypes (native/__init__.py); Python is called back once for each line.

#include "Vcasemate.h"
#include "memory.h"
#include "verilated.h"
#if CASEMATE_TRACE
#include "verilated_vcd_c.h"
#endif

#include <array>
#include <deque>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>

namespace {

constexpr unsigned line_bytes = 64, bus_bytes = CASEMATE_DATA_BITS / 8,
                   beats = line_bytes / bus_bytes, ids = 1u << CASEMATE_ID_BITS;
using Line = std::array<uint8_t, line_bytes>;

}  // namespace

// As `_Operation` in Python.
struct Operation {
    uint64_t address, strobe;
    uint32_t domain;
    uint8_t write, claim, response, wrong_beats;
    uint8_t data[line_bytes];
};

using ReadHook = void (*)(uint64_t address, uint8_t *data);
using WriteHook = void (*)(uint64_t address, const uint8_t *data, uint64_t strobe);

namespace {

template <typename Port> void set_bytes(Port &port, const uint8_t *bytes) {
    std::memcpy(&port, bytes, bus_bytes);
}

template <typename Port> void get_bytes(const Port &port, uint8_t *bytes) {
    std::memcpy(bytes, &port, bus_bytes);
}

template <typename Port> void set_key(Port &port, const uint8_t *bytes) {
    std::memcpy(&port, bytes, CASEMATE_AES_BITS / 8);
}

struct HostWrite {
    Operation *operation;
    unsigned beat = 0;
};

struct MemoryAccess {
    uint64_t address = 0, due = 0;
    unsigned id = 0, beat = 0;
    bool moved = false;  // a read was sampled, a write is stored
    uint64_t strobe = 0;
    Line data{};
};

struct Simulation {
    VerilatedContext context;
    std::unique_ptr<Vcasemate> model;
    SparseMemory memory;
    ReadHook read_hook = nullptr;
    WriteHook write_hook = nullptr;
    std::mt19937_64 random;
    unsigned pressure = 0;  // chance of a pause in a cycle, out of 256
    unsigned latency = 8;   // most cycles beyond the least, of an answer of DRAM
    uint64_t cycle = 0;
    std::string error;

    // Host.
    std::deque<Operation *> waiting;
    std::array<Operation *, ids> reading{}, writing{};
    std::array<unsigned, ids> read_beats{};
    std::deque<HostWrite> write_data;
    Operation *aw = nullptr, *ar = nullptr;
    unsigned aw_id = 0, ar_id = 0, open = 0;
    // DRAM.
    std::deque<MemoryAccess> reads, writes, write_addresses;
    std::deque<MemoryAccess> lines;  // whole lines without an address
    MemoryAccess filling;
    bool r_offered = false, b_offered = false, w_offered = false;
    MemoryAccess answer, response;
#if CASEMATE_TRACE
    std::unique_ptr<VerilatedVcdC> tracer;
#endif

    Simulation() {
        context.traceEverOn(CASEMATE_TRACE);
        model = std::make_unique<Vcasemate>(&context);
        model->clk = 0;
        reset();
    }

    bool pause() { return pressure && random() % 256 < pressure; }

    void reset() {
        waiting.clear(), write_data.clear(), reads.clear(), writes.clear();
        write_addresses.clear(), lines.clear();
        reading = {}, writing = {};
        aw = ar = nullptr;
        open = 0;
        filling = {};
        r_offered = b_offered = w_offered = false;
        model->key_valid = model->slot_valid = 0;
#if CASEMATE_TREE
        model->s_axil_awvalid = model->s_axil_wvalid = model->s_axil_arvalid = 0;
        model->s_axil_bready = model->s_axil_rready = 0;
#endif
        model->rst = 1;
        for (int i = 0; i < 4; i++) tick();
        model->rst = 0;
    }

    void edge() {
        model->clk = 1;
        model->eval();
#if CASEMATE_TRACE
        if (tracer) tracer->dump(2 * cycle);
#endif
        model->clk = 0;
        model->eval();
#if CASEMATE_TRACE
        if (tracer) tracer->dump(2 * cycle + 1);
#endif
        cycle++;
    }

    // -- one cycle ----------------------------------------------------------------------------

    void tick() {
        if (model->rst) {
            drive();
            edge();
            return;
        }
        issue();
        choose_answers();
        drive();
        model->eval();
        const bool aw_done = model->s_axi_awvalid && model->s_axi_awready;
        const bool w_done = model->s_axi_wvalid && model->s_axi_wready;
        const bool ar_done = model->s_axi_arvalid && model->s_axi_arready;
        const bool b_done = model->s_axi_bvalid && model->s_axi_bready;
        const bool r_done = model->s_axi_rvalid && model->s_axi_rready;
        if (b_done) finish_write();
        if (r_done) take_beat();
        const bool mr_done = r_offered && model->m_axi_rready;
        const bool mb_done = b_offered && model->m_axi_bready;
        if (model->m_axi_arvalid && model->m_axi_arready) accept_read();
        if (model->m_axi_awvalid && model->m_axi_awready) accept_write();
        if (model->m_axi_wvalid && model->m_axi_wready) accept_data();
        if (aw_done) {
            write_data.push_back({aw});
            aw = nullptr;
        }
        if (w_done) {
            w_offered = false;
            if (++write_data.front().beat == beats) write_data.pop_front();
        }
        if (ar_done) ar = nullptr;
        if (mr_done) {
            r_offered = false;
            if (++answer.beat < beats) reads.push_front(answer);
        }
        if (mb_done) b_offered = false;
        edge();
    }

    // -- host ---------------------------------------------------------------------------------

    bool line_is_open(uint64_t address) const {
        for (unsigned id = 0; id < ids; id++)
            if ((reading[id] && reading[id]->address == address)
                || (writing[id] && writing[id]->address == address))
                return true;
        return false;
    }

    // Operations of one line happen in order; one of another line may pass those that wait.
    void issue() {
        for (auto next = waiting.begin(); next != waiting.end(); ++next) {
            Operation *operation = *next;
            auto &channel = operation->write ? aw : ar;
            auto &table = operation->write ? writing : reading;
            bool blocked = line_is_open(operation->address);
            for (auto earlier = waiting.begin(); earlier != next; ++earlier)
                blocked |= (*earlier)->address == operation->address;
            if (channel || blocked || pause()) continue;
            const unsigned start = random() % ids;
            for (unsigned n = 0; n < ids; n++) {
                const unsigned id = (start + n) % ids;
                if (table[id]) continue;
                table[id] = channel = operation;
                (operation->write ? aw_id : ar_id) = id;
                read_beats[id] = operation->write ? read_beats[id] : 0;
                open++;
                waiting.erase(next);
                return;
            }
        }
    }

    void finish_write() {
        Operation *operation = writing[model->s_axi_bid];
        if (!operation) throw std::runtime_error("a write response without a write");
        operation->response = model->s_axi_bresp;
        writing[model->s_axi_bid] = nullptr;
        open--;
    }

    void take_beat() {
        const unsigned id = model->s_axi_rid;
        Operation *operation = reading[id];
        if (!operation) throw std::runtime_error("read data without a read");
        get_bytes(model->s_axi_rdata, operation->data + bus_bytes * read_beats[id]);
        operation->response |= model->s_axi_rresp;
        operation->wrong_beats |= (model->s_axi_rresp >> 1) << read_beats[id];
        const bool last = ++read_beats[id] == beats;
        if (bool(model->s_axi_rlast) != last) throw std::runtime_error("RLAST is wrong");
        if (last) {
            reading[id] = nullptr;
            open--;
        }
    }

    // -- DRAM ---------------------------------------------------------------------------------

    uint64_t when() { return cycle + 2 + random() % (latency + 1); }

    void accept_read() {
        MemoryAccess access;
        access.address = model->m_axi_araddr;
        access.id = model->m_axi_arid;
        access.due = when();
        if (random() % 2) sample(access);
        reads.push_back(access);
    }

    void accept_write() {
        MemoryAccess access;
        access.address = model->m_axi_awaddr;
        access.id = model->m_axi_awid;
        write_addresses.push_back(access);
        join();
    }

    void accept_data() {
        get_bytes(model->m_axi_wdata, filling.data.data() + bus_bytes * filling.beat);
        filling.strobe |= uint64_t(model->m_axi_wstrb) << bus_bytes * filling.beat;
        if (++filling.beat == beats) {
            lines.push_back(filling);
            filling = {};
            join();
        }
    }

    void join() {
        while (!write_addresses.empty() && !lines.empty()) {
            MemoryAccess access = write_addresses.front();
            access.data = lines.front().data;
            access.strobe = lines.front().strobe;
            access.due = when();
            write_addresses.pop_front(), lines.pop_front();
            if (random() % 2) store(access);
            writes.push_back(access);
        }
    }

    void sample(MemoryAccess &access) {
        if (access.moved) return;
        access.moved = true;
        if (read_hook)
            read_hook(access.address, access.data.data());
        else
            memory.read(access.address, access.data.data(), line_bytes);
    }

    void store(MemoryAccess &access) {
        if (access.moved) return;
        access.moved = true;
        if (write_hook)
            write_hook(access.address, access.data.data(), access.strobe);
        else
            memory.write_strobed(access.address, access.data.data(), access.strobe, line_bytes);
    }

    // The oldest of an ID, of those that are due; a read that began goes on.
    bool choose(std::deque<MemoryAccess> &queue, MemoryAccess &chosen) {
        if (pause()) return false;
        uint64_t seen[(1u << CASEMATE_MEMORY_ID_BITS) / 64 + 1] = {};
        for (auto access = queue.begin(); access != queue.end(); ++access) {
            uint64_t &word = seen[access->id / 64];
            const uint64_t bit = 1ull << access->id % 64;
            const bool begun = access->beat != 0;
            if (begun || (!(word & bit) && access->due <= cycle && random() % 4)) {
                chosen = *access;
                queue.erase(access);
                return true;
            }
            word |= bit;
        }
        return false;
    }

    void choose_answers() {
        if (!r_offered && choose(reads, answer)) {
            sample(answer);
            r_offered = true;
        }
        if (!b_offered && choose(writes, response)) {
            store(response);
            b_offered = true;
        }
    }

    // -- pins ---------------------------------------------------------------------------------

    void drive() {
        const uint8_t size = bus_bytes == 8 ? 3 : bus_bytes == 16 ? 4 : bus_bytes == 32 ? 5 : 6;
        model->s_axi_awvalid = aw != nullptr;
        if (aw) {
            model->s_axi_awaddr = aw->address;
            model->s_axi_awid = aw_id;
            model->s_axi_awuser = aw->domain | uint32_t(aw->claim) << 12;
        }
        model->s_axi_arvalid = ar != nullptr;
        if (ar) {
            model->s_axi_araddr = ar->address;
            model->s_axi_arid = ar_id;
            model->s_axi_aruser = ar->domain;
        }
        model->s_axi_awlen = model->s_axi_arlen = beats - 1;
        model->s_axi_awsize = model->s_axi_arsize = size;
        model->s_axi_awburst = model->s_axi_arburst = 1;
        if (!w_offered) w_offered = !write_data.empty() && !pause();
        model->s_axi_wvalid = w_offered;
        if (w_offered) {
            const HostWrite &write = write_data.front();
            set_bytes(model->s_axi_wdata, write.operation->data + bus_bytes * write.beat);
            model->s_axi_wstrb = write.operation->strobe >> bus_bytes * write.beat
                                 & (bus_bytes == 64 ? ~0ull : (1ull << bus_bytes % 64) - 1);
            model->s_axi_wlast = write.beat == beats - 1;
        }
        model->s_axi_bready = !pause();
        model->s_axi_rready = !pause();
        model->m_axi_arready = !pause();
        model->m_axi_awready = !pause();
        model->m_axi_wready = !pause();
        model->m_axi_rvalid = r_offered;
        if (r_offered) {
            set_bytes(model->m_axi_rdata, answer.data.data() + bus_bytes * answer.beat);
            model->m_axi_rid = answer.id;
            model->m_axi_rresp = 0;
            model->m_axi_rlast = answer.beat == beats - 1;
        }
        model->m_axi_bvalid = b_offered;
        if (b_offered) {
            model->m_axi_bid = response.id;
            model->m_axi_bresp = 0;
        }
    }

    // An engine with an alarm may hold what it could not write for ever.
    bool settled() const {
#if CASEMATE_TREE
        if (model->alert_integrity || model->alert_fatal) return true;
#endif
        return model->idle;
    }

    bool quiet() const {
        return waiting.empty() && !open && settled() && reads.empty() && writes.empty()
               && write_addresses.empty() && lines.empty() && !r_offered && !b_offered;
    }
};

template <typename Action> int guarded(Simulation *simulation, Action action) {
    try {
        return action();
    } catch (const std::exception &failure) {
        simulation->error = "cycle " + std::to_string(simulation->cycle) + ": " + failure.what();
        return -1;
    }
}

template <typename Condition>
void wait_for(Simulation *simulation, uint64_t limit, const char *what, Condition condition) {
    const uint64_t end = simulation->cycle + limit;
    while (!condition()) {
        if (simulation->cycle >= end)
            throw std::runtime_error(std::string(what) + " within " + std::to_string(limit)
                                     + " cycles");
        simulation->tick();
    }
}

}  // namespace

void vl_stop(const char *file, int line, const char *) {
    throw std::runtime_error(std::string("an assertion failed at ") + file + ":"
                             + std::to_string(line));
}
void vl_fatal(const char *file, int line, const char *, const char *message) {
    throw std::runtime_error(std::string(message) + " (" + file + ":" + std::to_string(line)
                             + ")");
}

extern "C" {

void *attack_create() {
    try {
        return new Simulation;
    } catch (const std::exception &) {
        return nullptr;
    }
}

void attack_destroy(Simulation *simulation) {
#if CASEMATE_TRACE
    if (simulation->tracer) simulation->tracer->close();
#endif
    delete simulation;
}

const char *attack_error(Simulation *simulation) { return simulation->error.c_str(); }

uint64_t attack_cycle(Simulation *simulation) { return simulation->cycle; }

// Everything random from now on follows from the seed.
int attack_reset(Simulation *simulation, uint64_t seed, uint32_t pressure, uint32_t latency) {
    return guarded(simulation, [&] {
        simulation->random.seed(seed);
        simulation->pressure = pressure;
        simulation->latency = latency;
        simulation->reset();
        return 0;
    });
}

void attack_clear(Simulation *simulation) { simulation->memory = SparseMemory(); }

int attack_trace(Simulation *simulation, const char *path) {
#if CASEMATE_TRACE
    simulation->tracer = std::make_unique<VerilatedVcdC>();
    simulation->model->trace(simulation->tracer.get(), 99);
    simulation->tracer->open(path);
    return 0;
#else
    return -1;
#endif
}

void attack_hooks(Simulation *simulation, ReadHook read, WriteHook write) {
    simulation->read_hook = read;
    simulation->write_hook = write;
}

int attack_key(Simulation *simulation, uint32_t slot, uint32_t name, const uint8_t *key) {
    return guarded(simulation, [&] {
        Vcasemate *model = simulation->model.get();
        model->key_slot = slot;
        model->key_name = name;
        set_key(model->key_key, key);
        model->key_valid = 1;
        wait_for(simulation, 10000, "no key was taken", [&] {
            model->eval();
            return bool(model->key_ready);
        });
        simulation->tick();
        model->key_valid = 0;
        return 0;
    });
}

int attack_slot(Simulation *simulation, uint32_t slot, uint32_t domain, int encrypt,
                int authenticate) {
    return guarded(simulation, [&] {
        Vcasemate *model = simulation->model.get();
        wait_for(simulation, 10000, "not idle", [&] { return simulation->quiet(); });
        model->slot_slot = slot;
        model->slot_enable = 1;
        model->slot_domain = domain;
        model->slot_encrypt = encrypt;
        model->slot_authenticate = authenticate;
        model->slot_valid = 1;
        simulation->tick();
        model->slot_valid = 0;
        return 0;
    });
}

int attack_perform(Simulation *simulation, Operation *operations, uint64_t count,
                   uint64_t limit) {
    return guarded(simulation, [&] {
        for (uint64_t i = 0; i < count; i++) simulation->waiting.push_back(operations + i);
        simulation->tick();
        wait_for(simulation, limit, "no answer", [&] { return simulation->quiet(); });
        return 0;
    });
}

int attack_ticks(Simulation *simulation, uint64_t count) {
    return guarded(simulation, [&] {
        while (count--) simulation->tick();
        return 0;
    });
}

// Bit 0: alert_integrity; bit 1: alert_fatal; bit 2: irq.
int attack_pins(Simulation *simulation) {
#if CASEMATE_TREE
    Vcasemate *model = simulation->model.get();
    return model->alert_integrity | model->alert_fatal << 1 | model->irq << 2;
#else
    return 0;
#endif
}

// One access to a register; a negative result is an error of the simulation, else xRESP.
int attack_register(Simulation *simulation, int write, uint32_t address, uint32_t *value) {
    return guarded(simulation, [&] {
#if CASEMATE_TREE
        Vcasemate *model = simulation->model.get();
        if (write) {
            bool aw_sent = false, w_sent = false;
            model->s_axil_awaddr = address;
            model->s_axil_wdata = *value;
            model->s_axil_wstrb = 15;
            model->s_axil_bready = 1;
            for (int i = 0; i < 1000; i++) {
                model->s_axil_awvalid = !aw_sent;
                model->s_axil_wvalid = !w_sent;
                model->eval();
                const bool answered = model->s_axil_bvalid;
                const int answer = model->s_axil_bresp;
                aw_sent |= bool(model->s_axil_awready);
                w_sent |= bool(model->s_axil_wready);
                simulation->tick();
                if (answered) {
                    model->s_axil_bready = 0;
                    return answer;
                }
            }
        } else {
            bool sent = false;
            model->s_axil_araddr = address;
            model->s_axil_rready = 1;
            for (int i = 0; i < 1000; i++) {
                model->s_axil_arvalid = !sent;
                model->eval();
                const bool answered = model->s_axil_rvalid;
                const int answer = model->s_axil_rresp;
                if (answered) *value = model->s_axil_rdata;
                sent |= bool(model->s_axil_arready);
                simulation->tick();
                if (answered) {
                    model->s_axil_rready = 0;
                    return answer;
                }
            }
        }
#endif
        throw std::runtime_error("no answer from the registers");
        return 0;
    });
}

void attack_memory_read(Simulation *simulation, uint64_t address, uint8_t *data, uint64_t size) {
    simulation->memory.read(address, data, size);
}

void attack_memory_write(Simulation *simulation, uint64_t address, const uint8_t *data,
                         uint64_t size) {
    simulation->memory.write(address, data, size);
}

}  // extern "C"
