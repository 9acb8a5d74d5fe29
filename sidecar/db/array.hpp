// One-dimensional arrays as parameters: bytea[] and text[] in PostgreSQL's binary format, arrays of any type as text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace radscheduler::sidecar::db {

class BinaryArray {
public:
    enum class Element : std::uint32_t { bytea = 17, text = 25 }; // type oids

    explicit BinaryArray(Element element) {
        put(1); // dimensions
        put(0); // no NULL among the elements
        put(static_cast<std::uint32_t>(element));
        put(0); // how many; finish() fills it in
        put(1); // first subscript
    }

    void add(std::string_view value) {
        put(static_cast<std::uint32_t>(value.size()));
        bytes_ += value;
        ++count_;
    }

    // The finished array. Nothing may be added afterwards.
    std::string_view finish() {
        constexpr std::size_t place_of_count = 12;
        const auto number = big_endian(count_);
        bytes_.replace(place_of_count, number.size(), number);
        return bytes_;
    }

private:
    static std::string big_endian(std::uint32_t number) {
        std::string text;
        for (int shift = 24; shift >= 0; shift -= 8) {
            text += static_cast<char>((number >> static_cast<unsigned>(shift)) & 0xFFU);
        }
        return text;
    }
    void put(std::uint32_t number) { bytes_ += big_endian(number); }

    std::string bytes_;
    std::uint32_t count_ = 0;
};

// {"a","b"}, for a parameter sent as text.
inline std::string array_text(const std::vector<std::string>& list) {
    std::string text = "{";
    for (const auto& one : list) {
        text += text.size() > 1 ? ",\"" : "\"";
        for (const char c : one) {
            text += c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
        }
        text += '"';
    }
    return text + "}";
}

} // namespace radscheduler::sidecar::db
