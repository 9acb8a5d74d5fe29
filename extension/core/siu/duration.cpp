// Reading durations.
#include "duration.hpp"

#include "../ascii.hpp"
#include "words.hpp"

namespace radscheduler::siu {

namespace {

constexpr std::size_t kMaxDigits = 7;
constexpr std::size_t kMaxDecimals = 3;
constexpr int kDefaultUnit = 60;

} // namespace

int Duration::minutes() const {
    return static_cast<int>(seconds < 0 ? (seconds - 59) / 60 : (seconds + 59) / 60);
}

std::optional<Duration> read_duration(std::string_view text, std::string_view unit) {
    text = trim(text);
    std::string_view own_unit;
    if (text.size() > 1 && is_alpha(text[0])) { // M30
        own_unit = text.substr(0, 1);
        text.remove_prefix(1);
    }
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);

    std::size_t digits = 0;
    while (digits < text.size() && is_digit(text[digits]))
        ++digits;
    if (digits == 0 || digits > kMaxDigits) return std::nullopt;
    std::int64_t thousandths = digits_value(text.substr(0, digits));
    text.remove_prefix(digits);
    std::size_t decimals = 0;
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        for (; !text.empty() && is_digit(text[0]); text.remove_prefix(1)) {
            if (decimals < kMaxDecimals) {
                thousandths = thousandths * 10 + (text[0] - '0');
                ++decimals;
            }
        }
    }
    for (; decimals < kMaxDecimals; ++decimals)
        thousandths *= 10;

    text = trim(text);
    if (!text.empty()) { // "2 hours"
        if (!own_unit.empty() || unit_seconds(text) == 0) return std::nullopt;
        own_unit = text;
    }
    int factor = unit_seconds(own_unit.empty() ? unit : own_unit);
    if (!own_unit.empty() && factor == 0) return std::nullopt;
    Duration result;
    result.unit_assumed = factor == 0;
    if (factor == 0) factor = kDefaultUnit;
    result.seconds = thousandths * factor / 1000;
    if (negative) result.seconds = -result.seconds;
    return result;
}

} // namespace radscheduler::siu
