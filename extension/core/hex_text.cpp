// Hex runs: the bytes they stand for, and a message whose runs are all brought to UTF-8.
#include "ascii.hpp"
#include "escape_scan.hpp"
#include "radscheduler/charset.hpp"

namespace radscheduler {

bool append_hex_bytes(std::string& out, std::string_view body) {
    if (body.size() < 3 || body.size() % 2 == 0 || body.front() != 'X') return false;
    const std::size_t mark = out.size();
    for (std::size_t i = 1; i < body.size(); i += 2) {
        const int high = hex_value(body[i]);
        const int low = hex_value(body[i + 1]);
        if (high < 0 || low < 0 || (high | low) == 0) {
            out.resize(mark);
            return false;
        }
        out.push_back(static_cast<char>(high * 16 + low));
    }
    return true;
}

bool settle_hex_bytes(std::string& out, std::size_t mark, const HexText* hex) {
    if (is_valid_utf8(std::string_view(out).substr(mark))) return true;
    std::string text;
    const bool known = hex != nullptr && hex->to_utf8(hex->context, std::string_view(out).substr(mark), text) &&
                       is_valid_utf8(text) && text.find('\0') == std::string::npos;
    out.resize(mark);
    if (known) out.append(text);
    return known;
}

std::string hex_to_utf8(std::string_view canonical, const Delimiters& delimiters, const HexText& hex) {
    if (delimiters.escape == '\0' || canonical.find(delimiters.escape) == std::string_view::npos) {
        return std::string(canonical);
    }
    constexpr char kDigits[] = "0123456789ABCDEF";
    std::string out;
    out.reserve(canonical.size());
    std::string bytes;
    EscapeScanner scanner(canonical, delimiters);
    for (EscapePiece piece; scanner.next(piece);) {
        bytes.clear();
        if (!piece.closed || (append_hex_bytes(bytes, piece.body) && is_valid_utf8(bytes))) {
            out.append(piece.text);
        } else if (!bytes.empty() && settle_hex_bytes(bytes, 0, &hex)) {
            out.push_back(delimiters.escape);
            out.push_back('X');
            for (const char c : bytes) {
                out.push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
                out.push_back(kDigits[static_cast<unsigned char>(c) & 15]);
            }
            out.push_back(delimiters.escape);
        } else {
            out.append(scanner.reopen(piece));
        }
    }
    return out;
}

} // namespace radscheduler
