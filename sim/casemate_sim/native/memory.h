// Sparse DRAM content: pages that exist once something was written to them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <unordered_map>
#include <vector>

class SparseMemory {
public:
    static constexpr uint64_t page_bytes = 4096;

    // Accesses may cross pages; bytes of pages that do not exist read as zero.
    void read(uint64_t address, uint8_t *data, uint64_t size) {
        while (size > 0) {
            const uint64_t offset = address % page_bytes;
            const uint64_t part = std::min(size, page_bytes - offset);
            if (const uint8_t *page = find(address / page_bytes))
                std::memcpy(data, page + offset, part);
            else
                std::memset(data, 0, part);
            address += part, data += part, size -= part;
        }
    }

    void write(uint64_t address, const uint8_t *data, uint64_t size) {
        while (size > 0) {
            const uint64_t offset = address % page_bytes;
            const uint64_t part = std::min(size, page_bytes - offset);
            std::memcpy(make(address / page_bytes) + offset, data, part);
            address += part, data += part, size -= part;
        }
    }

    // One bus beat, inside one page, only the bytes whose strobe is set.
    void write_strobed(uint64_t address, const uint8_t *data, uint64_t strobe, uint64_t size) {
        uint8_t *bytes = make(address / page_bytes) + address % page_bytes;
        const uint64_t all = size == 64 ? ~0ull : (1ull << size) - 1;
        if ((strobe & all) == all) {
            std::memcpy(bytes, data, size);
            return;
        }
        for (uint64_t i = 0; i < size; i++)
            if (strobe >> i & 1) bytes[i] = data[i];
    }

    std::vector<uint64_t> pages() const {
        std::vector<uint64_t> result;
        result.reserve(pages_.size());
        for (const auto &entry : pages_) result.push_back(entry.first * page_bytes);
        std::sort(result.begin(), result.end());
        return result;
    }

private:
    struct Page {
        uint8_t bytes[page_bytes] = {};
    };
    // Pages found last, by the low bits of their number: traffic is local.
    struct Recent {
        uint64_t number = ~0ull;
        uint8_t *bytes = nullptr;
    };
    static constexpr uint64_t recent_pages = 1024;

    uint8_t *find(uint64_t number) {
        Recent &recent = recent_[number % recent_pages];
        if (recent.number == number) return recent.bytes;
        const auto found = pages_.find(number);
        if (found == pages_.end()) return nullptr;
        recent = {number, found->second->bytes};
        return recent.bytes;
    }

    uint8_t *make(uint64_t number) {
        if (uint8_t *bytes = find(number)) return bytes;
        std::unique_ptr<Page> &page = pages_[number];
        page = std::make_unique<Page>();
        recent_[number % recent_pages] = {number, page->bytes};
        return page->bytes;
    }

    std::unordered_map<uint64_t, std::unique_ptr<Page>> pages_;
    std::vector<Recent> recent_ = std::vector<Recent>(recent_pages);
};
