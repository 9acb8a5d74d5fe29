// Purpose: builds JSON text by appending; no tree, no reading.
//
// Invariants: commas and quotes are placed by the writer; the caller keeps begin/end and key/value in pairs. Texts must
// be valid UTF-8; control characters are escaped, a NUL is left out (PostgreSQL's jsonb cannot hold it).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace radscheduler {

class JsonWriter {
public:
    void begin_object() { open('{'); }
    void end_object() { close('}'); }
    void begin_array() { open('['); }
    void end_array() { close(']'); }
    void key(std::string_view name);

    void text(std::string_view value);
    void number(std::int64_t value);
    void boolean(bool value);
    void null();

    // "name": "value", left out when the value is empty.
    void member(std::string_view name, std::string_view value);

    std::string take() { return std::move(out_); }

private:
    void separate();
    void open(char bracket);
    void close(char bracket);
    void quote(std::string_view value);

    std::string out_;
    bool need_comma_ = false;
};

} // namespace radscheduler
