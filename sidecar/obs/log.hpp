// The daemon's log: one JSON object per line on stderr.
// Invariant: a line holds ids, sizes, hashes, outcomes and durations, never content; see obs/payload.hpp.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

#include "obs/payload.hpp"

namespace radscheduler::sidecar::log {

enum class Level { debug, info, warn, error };

// One named value of a line. It keeps a view of text, so it must not outlive the statement it is written in.
class Field {
public:
    Field(std::string_view name, std::string_view text) : name_(name), kind_(Kind::text), text_(text) {}
    Field(std::string_view name, const std::string& text) : Field(name, std::string_view(text)) {}
    Field(std::string_view name, const char* text) : Field(name, std::string_view(text)) {}
    Field(std::string_view name, bool flag) : name_(name), kind_(Kind::boolean), number_(flag) {}
    Field(std::string_view name, double real) : name_(name), kind_(Kind::real), real_(real) {}
    template <class T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>, int> = 0>
    Field(std::string_view name, T number)
        : name_(name), kind_(Kind::integer), number_(static_cast<std::int64_t>(number)) {}
    Field(std::string_view name, const Payload&) = delete;

    void append_to(std::string& line) const;

private:
    enum class Kind { text, integer, real, boolean };
    std::string_view name_;
    Kind kind_;
    std::string_view text_{};
    std::int64_t number_ = 0;
    double real_ = 0;
};

// Must be called once, before the first line. Lines below `level` are dropped.
void start(Level level);
void flush();

// `event` is a stable dotted name for machines, `sentence` is for people.
void write(Level level, std::string_view event, std::string_view sentence, std::initializer_list<Field> fields = {});

inline void debug(std::string_view event, std::string_view sentence, std::initializer_list<Field> fields = {}) {
    write(Level::debug, event, sentence, fields);
}
inline void info(std::string_view event, std::string_view sentence, std::initializer_list<Field> fields = {}) {
    write(Level::info, event, sentence, fields);
}
inline void warn(std::string_view event, std::string_view sentence, std::initializer_list<Field> fields = {}) {
    write(Level::warn, event, sentence, fields);
}
inline void error(std::string_view event, std::string_view sentence, std::initializer_list<Field> fields = {}) {
    write(Level::error, event, sentence, fields);
}

} // namespace radscheduler::sidecar::log
