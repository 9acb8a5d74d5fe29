// A strict reader of JSON text for the fuzzers: it accepts what RFC 8259 does, as far as the core writes it (whole
// numbers, no \u beyond control characters), and gives the tokens that message_from_json() takes.
#pragma once

#include "radscheduler/json_token.hpp"

#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

class JsonTokens {
public:
    // The text must outlive the tokens.
    explicit JsonTokens(std::string_view text) : rest_(text) { valid_ = read() && rest_.empty(); }

    bool valid() const { return valid_; }
    std::span<const radscheduler::JsonToken> list() const { return tokens_; }

private:
    using Kind = radscheduler::JsonToken::Kind;

    bool read() {
        std::vector<char> open;
        bool want_value = true; // a value must come, rather than a comma or a closing bracket
        bool just_opened = false;
        while (true) {
            if (want_value || just_opened) {
                if (just_opened && take(open.back())) {
                    close(open);
                    just_opened = want_value = false;
                } else {
                    if (!open.empty() && open.back() == '}' && !key()) return false;
                    if (!value(open, just_opened)) return false;
                    want_value = just_opened;
                }
            } else if (take(open.back())) {
                close(open);
            } else if (take(',')) {
                want_value = true;
            } else {
                return false;
            }
            if (open.empty()) return true;
        }
    }

    bool take(char c) {
        if (!rest_.starts_with(c)) return false;
        rest_.remove_prefix(1);
        return true;
    }

    bool take(std::string_view word) {
        if (!rest_.starts_with(word)) return false;
        rest_.remove_prefix(word.size());
        return true;
    }

    void add(Kind kind, std::string_view text = {}) { tokens_.push_back({kind, text}); }

    void close(std::vector<char>& open) {
        add(open.back() == ']' ? Kind::end_array : Kind::end_object);
        open.pop_back();
    }

    bool key() {
        std::string_view name;
        if (!string(name) || !take(':')) return false;
        add(Kind::key, name);
        return true;
    }

    bool value(std::vector<char>& open, bool& opened) {
        opened = true;
        if (take('[')) {
            add(Kind::begin_array);
            open.push_back(']');
            return true;
        }
        if (take('{')) {
            add(Kind::begin_object);
            open.push_back('}');
            return true;
        }
        opened = false;
        std::string_view text;
        if (rest_.starts_with('"')) {
            if (!string(text)) return false;
            add(Kind::string, text);
        } else if (take("null")) {
            add(Kind::null);
        } else if (take("true") || take("false")) {
            add(Kind::boolean);
        } else {
            const std::size_t end = rest_.find_first_not_of("0123456789", rest_.starts_with('-') ? 1 : 0);
            text = rest_.substr(0, end);
            if (text.empty() || text == "-") return false;
            add(Kind::number, text);
            rest_.remove_prefix(text.size());
        }
        return true;
    }

    bool string(std::string_view& text) {
        if (!take('"')) return false;
        std::string& out = texts_.emplace_back();
        while (!take('"')) {
            if (rest_.empty() || static_cast<unsigned char>(rest_[0]) < 0x20) return false;
            if (take('\\')) {
                if (!escape(out)) return false;
            } else {
                out.push_back(rest_[0]);
                rest_.remove_prefix(1);
            }
        }
        text = out;
        return true;
    }

    bool escape(std::string& out) {
        constexpr std::string_view letters = "\"\\/bfnrt";
        constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
        if (take("u00")) {
            constexpr std::string_view digits = "0123456789abcdef";
            if (rest_.size() < 2) return false;
            const std::size_t high = digits.find(rest_[0]);
            const std::size_t low = digits.find(rest_[1]);
            if (high > 1 || low == std::string_view::npos || high + low == 0) return false;
            out.push_back(static_cast<char>(high * 16 + low));
            rest_.remove_prefix(2);
            return true;
        }
        const std::size_t letter = rest_.empty() ? std::string_view::npos : letters.find(rest_[0]);
        if (letter == std::string_view::npos) return false;
        out.push_back(meanings[letter]);
        rest_.remove_prefix(1);
        return true;
    }

    std::string_view rest_;
    std::vector<radscheduler::JsonToken> tokens_;
    std::deque<std::string> texts_; // a deque, so that views into it stay
    bool valid_ = false;
};
