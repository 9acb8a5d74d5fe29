// The names of HL7 table 0211 and their many spellings, to encoding names that both glibc and GNU libiconv know.
#include "radscheduler/charset.hpp"

#include "ascii.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace radscheduler {

namespace {

constexpr std::size_t kLongestName = 64; // longer is no charset; keeps a long MSH-18 from costing anything

struct Name {
    std::string_view key; // letters and digits only, capitals, without a leading ISO
    std::string_view encoding;
};

// ISO 8859/6 and 8859/8 are the plain ones; the ISO IR numbers are those of the right-hand halves.
constexpr std::array kNames = std::to_array<Name>({
    {"ASCII", "US-ASCII"},
    {"USASCII", "US-ASCII"},
    {"IR6", "US-ASCII"},
    {"IR6ASCII", "US-ASCII"},
    {"646US", "US-ASCII"},
    {"UNICODEUTF8", "UTF-8"},
    {"UTF8", "UTF-8"},
    {"UNICODE", "UTF-8"}, // deprecated name; whoever sends it without NUL bytes means UTF-8
    {"IR192", "UTF-8"},
    {"88591", "ISO-8859-1"},
    {"LATIN1", "ISO-8859-1"},
    {"IR100", "ISO-8859-1"},
    {"88592", "ISO-8859-2"},
    {"LATIN2", "ISO-8859-2"},
    {"IR101", "ISO-8859-2"},
    {"88593", "ISO-8859-3"},
    {"IR109", "ISO-8859-3"},
    {"88594", "ISO-8859-4"},
    {"IR110", "ISO-8859-4"},
    {"88595", "ISO-8859-5"},
    {"IR144", "ISO-8859-5"},
    {"88596", "ISO-8859-6"},
    {"IR127", "ISO-8859-6"},
    {"88597", "ISO-8859-7"},
    {"IR126", "ISO-8859-7"},
    {"88598", "ISO-8859-8"},
    {"IR138", "ISO-8859-8"},
    {"88599", "ISO-8859-9"},
    {"LATIN5", "ISO-8859-9"},
    {"IR148", "ISO-8859-9"},
    {"885910", "ISO-8859-10"},
    {"885911", "TIS-620"},
    {"TIS620", "TIS-620"},
    {"IR166", "TIS-620"},
    {"885913", "ISO-8859-13"},
    {"885914", "ISO-8859-14"},
    {"885915", "ISO-8859-15"},
    {"LATIN9", "ISO-8859-15"},
    {"885916", "ISO-8859-16"},
    {"WINDOWS1250", "CP1250"},
    {"CP1250", "CP1250"},
    {"WINDOWS1251", "CP1251"},
    {"CP1251", "CP1251"},
    {"WINDOWS1252", "CP1252"},
    {"CP1252", "CP1252"},
    {"WINDOWS1253", "CP1253"},
    {"CP1253", "CP1253"},
    {"WINDOWS1254", "CP1254"},
    {"CP1254", "CP1254"},
    {"WINDOWS1257", "CP1257"},
    {"CP1257", "CP1257"},
    {"IR13", "ISO-2022-JP-3"}, // JIS X 0201 katakana
    {"IR14", "ISO-2022-JP-2"},
    {"JISX0201", "ISO-2022-JP-2"},
    {"IR87", "ISO-2022-JP-2"},
    {"JISX0208", "ISO-2022-JP-2"},
    {"IR159", "ISO-2022-JP-2"},
    {"JISX0212", "ISO-2022-JP-2"},
    {"2022JP", "ISO-2022-JP-2"},
    {"2022JP1", "ISO-2022-JP-2"},
    {"2022JP2", "ISO-2022-JP-2"},
    {"2022JP3", "ISO-2022-JP-3"},
    // Microsoft's table: in the standard one the bytes of \ and ~ are other characters, which would break a message.
    {"SHIFTJIS", "CP932"},
    {"SJIS", "CP932"},
    {"WINDOWS31J", "CP932"},
    {"CP932", "CP932"},
    {"EUCJP", "EUC-JP"},
    {"GB180302000", "GB18030"},
    {"GB18030", "GB18030"},
    {"GB2312", "GB18030"},
    {"GBK", "GB18030"},
    {"IR58", "GB18030"},
    {"KSX1001", "EUC-KR"},
    {"KSC5601", "EUC-KR"},
    {"IR149", "EUC-KR"},
    {"EUCKR", "EUC-KR"},
    {"CP949", "CP949"},
    {"2022KR", "ISO-2022-KR"},
    {"CNS116431992", "EUC-TW"},
    {"CNS11643", "EUC-TW"},
    {"EUCTW", "EUC-TW"},
    {"BIG5", "BIG5"},
});

constexpr std::array<std::string_view, 10> kWide = {"UNICODEUTF16", "UTF16", "UTF16LE", "UTF16BE", "UCS2",
                                                    "UNICODEUTF32", "UTF32", "UTF32LE", "UTF32BE", "UCS4"};

// Letters and digits up to the first character that no spelling of a name holds; "(JIS X 0201)" after a name is a
// remark.
std::string key_of(std::string_view charset) {
    std::string key;
    for (const char c : charset.substr(0, kLongestName)) {
        if (is_alpha(c) || is_digit(c)) {
            key.push_back(to_upper(c));
        } else if (c != '/' && c != '-' && c != '_' && c != ' ' && c != '.') {
            break;
        }
    }
    if (key.starts_with("ISO")) key.erase(0, 3);
    return key;
}

// What the bytes say about the ISO 2022 sets they use; looked up once, however often MSH-18 repeats.
struct Shifts {
    bool any = false;
    bool eight_bit = false;   // a byte beyond ASCII
    bool katakana = false;    // ESC ( I
    bool kanji_0212 = false;  // ESC $ ( D
    bool korean_7bit = false; // ESC $ ) C, and no byte beyond ASCII
};

Shifts shifts_of(std::string_view bytes) {
    const auto holds = [bytes](std::string_view sequence) { return bytes.find(sequence) != std::string_view::npos; };
    Shifts shifts;
    shifts.eight_bit =
        std::any_of(bytes.begin(), bytes.end(), [](char c) { return (static_cast<unsigned char>(c) & 0x80) != 0; });
    shifts.any = holds("\x1B");
    if (!shifts.any) return shifts;
    shifts.katakana = holds("\x1B(I");
    shifts.kanji_0212 = holds("\x1B$(D");
    shifts.korean_7bit = holds("\x1B$)C") && !shifts.eight_bit;
    return shifts;
}

} // namespace

std::string_view iconv_name(std::string_view charset) {
    const std::string key = key_of(charset);
    for (const Name& name : kNames) {
        if (name.key == key) return name.encoding;
    }
    return {};
}

bool is_wide_unicode(std::string_view charset) {
    const std::string key = key_of(charset);
    return std::find(kWide.begin(), kWide.end(), key) != kWide.end();
}

std::string_view declared_encoding(std::string_view msh18, char repetition_separator, std::string_view bytes) {
    std::optional<Shifts> shifts;
    std::string_view chosen;
    while (true) {
        const std::size_t end =
            repetition_separator == '\0' ? std::string_view::npos : msh18.find(repetition_separator);
        const std::string_view encoding = iconv_name(msh18.substr(0, end));
        const bool japanese = encoding.starts_with("ISO-2022-JP");
        const bool korean = encoding == "EUC-KR";
        if ((japanese || korean) && !shifts) shifts = shifts_of(bytes);
        if (japanese && shifts->any) {
            // One encoding stands for all Japanese sets, but iconv need not know katakana in the one with JIS X 0212.
            return shifts->katakana && !shifts->kanji_0212 ? "ISO-2022-JP-3" : "ISO-2022-JP-2";
        }
        if (korean && shifts->korean_7bit) return "ISO-2022-KR";
        // Without shifts the first set counts; ASCII, or nothing, says less than the alternate behind it.
        if ((chosen.empty() || chosen == "US-ASCII") && !encoding.empty()) {
            // JIS X 0201 in eight bits: its katakana are the single bytes of CP932, which keeps \ and ~ as they are.
            chosen = japanese && shifts->eight_bit ? "CP932" : encoding;
        }
        if (end == std::string_view::npos) return chosen;
        msh18.remove_prefix(end + 1);
    }
}

} // namespace radscheduler
