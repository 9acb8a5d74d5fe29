// Rendering of formatted text (FT): each command of HL7 v2.5 chapter 2.7.6, and highlighting (2.7.3), as plain text.
#include "ascii.hpp"
#include "escape_scan.hpp"

#include <algorithm>
#include <optional>

namespace radscheduler {

namespace {

constexpr int kMostRepeats = 99;

// An optional sign and digits, cut to -99..99; `missing` for nothing at all; nullopt for anything else.
std::optional<int> argument(std::string_view text, int missing) {
    if (text.empty()) return missing;
    const bool negative = text.front() == '-';
    if (negative || text.front() == '+') text.remove_prefix(1);
    if (!all_digits(text)) return std::nullopt;
    const std::size_t first = std::min(text.find_first_not_of('0'), text.size() - 1);
    text.remove_prefix(first);
    const int value = text.size() > 2 ? kMostRepeats : digits_value(text);
    return negative ? -value : value;
}

} // namespace

void FormattedText::end_line(std::size_t times) {
    out_.append(times, '\n');
    if (times > 0) line_is_empty_ = true;
}

void FormattedText::print() {
    if (!line_is_empty_) return;
    line_is_empty_ = false;
    out_.append(static_cast<std::size_t>(std::clamp(indent_ + extra_, 0, kMostRepeats)), ' ');
    extra_ = 0;
}

bool FormattedText::command(std::string_view body) {
    if (body == "H" || body == "N" || body == ".fi" || body == ".nf") return true;
    if (body == ".br" || body == ".ce") {
        end_line(1);
        return true;
    }
    if (body.size() < 3 || body.front() != '.') return false;
    const std::string_view name = body.substr(1, 2);
    const bool indents = name == "in" || name == "ti";
    if (!indents && name != "sp" && name != "sk") return false;
    const std::optional<int> number = argument(body.substr(3), indents ? 0 : 1);
    if (!number) return false;
    const auto count = static_cast<std::size_t>(std::max(*number, 0));
    if (name == "in") {
        indent_ = *number;
    } else if (name == "ti") {
        extra_ = *number;
    } else if (name == "sp") {
        end_line(count);
    } else {
        print();
        out_.append(count, ' ');
    }
    return true;
}

} // namespace radscheduler
