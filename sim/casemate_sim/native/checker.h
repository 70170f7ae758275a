// Checks every read of a line that was written in this run.
//
// The player's writes are numbered, and every 16-byte block of their data names line and number
// (player/layouts.py, write_beat). A block that is read must carry the number of a write to that
// line that is not older than the newest one answered before the read was issued, and not newer
// than the newest one issued. A line without an answered write may still hold what it held before:
// number 0 if the memory was filled with it, else nobody knows what.
#pragma once

#include <cstdint>
#include <cstring>
#include <deque>
#include <unordered_map>
#include <vector>

struct ReadError {
    uint64_t cycle, line, oldest_legal, newest_legal;
    uint32_t block, pad;
    uint8_t data[16];
};

class Checker {
public:
    static constexpr int line_bytes = 64, block_bytes = 16;

    explicit Checker(int data_bits) : beat_bytes_(data_bits / 8), reads_(1024), writes_(1024) {}

    uint64_t base = 0;     // first line of the data window
    bool filled = false;   // lines that were not written hold their number 0
    uint64_t checked = 0;  // reads compared
    uint64_t unknown = 0;  // reads of lines without a write in this run, not compared
    uint64_t refused = 0;  // reads with an error response, not compared
    uint64_t failed = 0;   // reads with an illegal block
    std::vector<ReadError> errors;  // the first of them

    static void block_of(uint64_t line, uint64_t sequence, uint32_t block, uint64_t out[2]) {
        out[0] = (line & ((1ull << 42) - 1)) | sequence << 48;
        out[1] = (sequence & 0xffffffffull) | uint64_t(block & 3) << 32
                 | (~line & ((1ull << 30) - 1)) << 34;
    }

    void read_issued(uint32_t id, uint64_t address) {
        const uint64_t line = address / line_bytes - base;
        const auto found = lines_.find(line);
        reads_[id].push_back({line, found == lines_.end() ? 0 : found->second.answered, 0, false,
                              {}});
    }

    void write_issued(uint32_t id, uint64_t address) {
        const uint64_t line = address / line_bytes - base;
        lines_[line].issued = ++sequence_;
        writes_[id].push_back({line, sequence_});
    }

    void write_answered(uint32_t id, int response) {
        if (writes_[id].empty()) return;
        const Write write = writes_[id].front();
        writes_[id].pop_front();
        Line &line = lines_[write.line];
        // A refused write may or may not have reached the DRAM: nothing is certain any more.
        if (response == 0)
            line.answered = write.sequence;
        else
            line.uncertain = true;
    }

    void read_beat(uint32_t id, const uint8_t *data, int response, bool last, uint64_t cycle) {
        if (reads_[id].empty()) return;
        Read &read = reads_[id].front();
        if (read.received + beat_bytes_ <= line_bytes)
            std::memcpy(read.data + read.received, data, beat_bytes_);
        read.received += beat_bytes_;
        read.error |= response != 0;
        if (last) {
            check(read, cycle);
            reads_[id].pop_front();
        }
    }

    // Newest issued write of each line.
    std::vector<std::pair<uint64_t, uint64_t>> newest() const {
        std::vector<std::pair<uint64_t, uint64_t>> result;
        result.reserve(lines_.size());
        for (const auto &entry : lines_) result.push_back({entry.first, entry.second.issued});
        return result;
    }

private:
    struct Line {
        uint64_t issued = 0, answered = 0;
        bool uncertain = false;
    };
    struct Read {
        uint64_t line, oldest_legal;
        int received;
        bool error;
        uint8_t data[line_bytes];
    };
    struct Write {
        uint64_t line, sequence;
    };

    void check(const Read &read, uint64_t cycle) {
        const auto found = lines_.find(read.line);
        const Line line = found == lines_.end() ? Line() : found->second;
        if (read.error) {
            refused++;
        } else if (line.uncertain || (read.oldest_legal == 0 && !filled)) {
            unknown++;
        } else {
            checked++;
            for (uint32_t block = 0; block < line_bytes / block_bytes; block++) {
                uint64_t got[2], legal[2];
                std::memcpy(got, read.data + block * block_bytes, block_bytes);
                const uint64_t number = got[1] & 0xffffffffull;
                block_of(read.line, number, block, legal);
                const bool ok = got[0] == legal[0] && got[1] == legal[1]
                                && number >= read.oldest_legal && number <= line.issued;
                if (!ok) {
                    failed++;
                    if (errors.size() < 16) {
                        ReadError error{cycle, read.line, read.oldest_legal, line.issued, block, 0,
                                        {}};
                        std::memcpy(error.data, got, block_bytes);
                        errors.push_back(error);
                    }
                    break;
                }
            }
        }
    }

    int beat_bytes_;
    uint64_t sequence_ = 0;
    std::unordered_map<uint64_t, Line> lines_;
    std::vector<std::deque<Read>> reads_;
    std::vector<std::deque<Write>> writes_;
};
