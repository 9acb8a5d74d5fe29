// Appending JSON.
#include "radscheduler/json_writer.hpp"

namespace radscheduler {

void JsonWriter::separate() {
    if (need_comma_) out_.push_back(',');
    need_comma_ = true;
}

void JsonWriter::open(char bracket) {
    separate();
    out_.push_back(bracket);
    need_comma_ = false;
}

void JsonWriter::close(char bracket) {
    out_.push_back(bracket);
    need_comma_ = true;
}

void JsonWriter::key(std::string_view name) {
    separate();
    quote(name);
    out_.push_back(':');
    need_comma_ = false;
}

void JsonWriter::text(std::string_view value) {
    separate();
    quote(value);
}

void JsonWriter::number(std::int64_t value) {
    separate();
    out_ += std::to_string(value);
}

void JsonWriter::boolean(bool value) {
    separate();
    out_ += value ? "true" : "false";
}

void JsonWriter::null() {
    separate();
    out_ += "null";
}

void JsonWriter::member(std::string_view name, std::string_view value) {
    if (value.empty()) return;
    key(name);
    text(value);
}

void JsonWriter::quote(std::string_view value) {
    constexpr char digits[] = "0123456789abcdef";
    out_.push_back('"');
    const auto is_plain = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; };
    for (std::size_t i = 0; i < value.size(); ++i) {
        std::size_t end = i;
        while (end < value.size() && is_plain(value[end]))
            ++end;
        out_.append(value.substr(i, end - i));
        i = end;
        if (i == value.size()) break;
        const char c = value[i];
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out_.push_back('\\');
            out_.push_back(c);
        } else if (c == '\n') {
            out_ += "\\n";
        } else if (c == '\r') {
            out_ += "\\r";
        } else if (c == '\t') {
            out_ += "\\t";
        } else if (c != '\0') {
            out_ += "\\u00";
            out_.push_back(digits[byte >> 4]);
            out_.push_back(digits[byte & 15]);
        }
    }
    out_.push_back('"');
}

} // namespace radscheduler
