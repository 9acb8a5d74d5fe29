// One-dimensional arrays in PostgreSQL's binary format, for parameters of type bytea[] and text[].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

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

} // namespace radscheduler::sidecar::db
