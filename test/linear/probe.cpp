// One operation of the core on one adversarial input of a given size, for test/linear/run.py, which counts the
// instructions that work() takes. Each input is what would make a careless reader look at the same bytes again and
// again.
//   linear_probe            lists the cases
//   linear_probe CASE SIZE  runs one
#include "radscheduler/ack.hpp"
#include "radscheduler/batch.hpp"
#include "radscheduler/build.hpp"
#include "radscheduler/charset.hpp"
#include "radscheduler/continuation.hpp"
#include "radscheduler/declared_charset.hpp"
#include "radscheduler/edit.hpp"
#include "radscheduler/escape.hpp"
#include "radscheduler/header.hpp"
#include "radscheduler/message_json.hpp"
#include "radscheduler/siu/reader.hpp"
#include "radscheduler/timestamp.hpp"
#include "radscheduler/validate.hpp"
#include "radscheduler/value.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace radscheduler;

const std::string kHead = "MSH|^~\\&|A|B|C|D|20260101120000||SIU^S12^SIU_S12|M1|P|2.5.1\r";

std::string repeated(std::string_view unit, std::size_t size) {
    std::string text;
    while (text.size() < size)
        text += unit;
    return text;
}

// A message whose tail is the unit again and again.
std::string message(std::string_view unit, std::size_t size) {
    return kHead + repeated(unit, size);
}

std::string field_of(std::string_view unit, std::size_t size) {
    return kHead + "NTE|1||" + repeated(unit, size) + "\r";
}

// Segments whose names all differ and are no segment names.
std::string different_names(std::size_t size) {
    std::string text = kHead;
    for (std::size_t i = 0; text.size() < size; ++i)
        text += "x" + std::to_string(i * 7919) + "|\r";
    return text;
}

void read_all(const std::string& text) {
    const Result<Message> opened = Message::open(text);
    if (!opened) std::abort();
    Segment segment;
    for (SegmentCursor cursor = opened->segments(); cursor.next(segment);)
        (void)segment.occurrence;
    for (const char* path :
         {"NTE[*]-3[*].1", "RGS[*]/AIS[*]/NTE[*]-3", "OBX[99999]-5", "NTE-99999", "NTE-3[99999].99999", "ZZZ[*]-1"}) {
        const Path parsed = *Path::parse(path);
        (void)get(*opened, parsed);
        (void)get_raw(*opened, parsed);
        (void)get_all(*opened, parsed);
        (void)get_all_raw(*opened, parsed);
    }
}

void decode_all(const std::string& text) {
    for (const Formatting formatting : {Formatting::kept, Formatting::line_breaks, Formatting::rendered})
        (void)decode(text, Delimiters{}, {formatting, nullptr});
    (void)escape(text, Delimiters{});
}

void change(const std::string& text) {
    (void)set_text(text, *Path::parse("NTE[*]-3[*].2"), "x");
    (void)set_text(text, *Path::parse("NTE-99999"), "x");
    (void)remove_place(text, *Path::parse_extent("NTE[*]"));
    (void)remove_place(text, *Path::parse("NTE[*]-3[*].1"));
}

void acknowledge(const std::string& text) {
    const Result<Message> opened = Message::open(text);
    if (!opened) std::abort();
    AckRequest request;
    request.original = &*opened;
    request.code = AckCode::error;
    request.text = text;
    request.issues = {{"101", "SCH-11", Severity::error, text, text}};
    (void)build_ack(request);
}

// What an adapter binds: every byte of a run is one character.
bool one_by_one(void*, std::string_view bytes, std::string& out) {
    out.append(bytes.size(), 'x');
    return true;
}

void decode_hex(const std::string& text) {
    const HexText hex{one_by_one, nullptr};
    (void)decode(text, Delimiters{}, {Formatting::rendered, &hex});
    (void)hex_to_utf8(text, Delimiters{}, hex);
}

// As many values as the input has bytes for, in segments of their own and in one.
void build_message(const std::string& text) {
    Result<MessageBuilder> builder = MessageBuilder::start();
    Path apart = *Path::parse("NTE-3");
    Path together = *Path::parse("PID-3");
    for (std::size_t i = 0; i < text.size() / 16; ++i) {
        apart.occurrence = static_cast<std::uint32_t>(i + 1);
        together.field = static_cast<std::uint32_t>(i % 50 + 1);
        (void)builder->set(apart, "value");
        (void)builder->set(together, "value");
    }
    (void)builder->text();
}

void read_many(const std::string& text) {
    const Result<Message> opened = Message::open(text);
    if (!opened) std::abort();
    const std::array paths{*Path::parse("NTE[2]-3"), *Path::parse("RGS[99]/AIS[2]-3"), *Path::parse("OBX-5"),
                           *Path::parse("NTE[99999]-1")};
    std::array<Value, 4> values;
    get_many(*opened, paths, values);
}

// Leaves of the form in which everything must be compared.
void from_json(const std::string& text) {
    using Kind = JsonToken::Kind;
    std::vector<JsonToken> tokens{{Kind::begin_array, {}}, {Kind::begin_array, {}}, {Kind::string, "MSH"},
                                  {Kind::string, "|"},     {Kind::string, "^~\\&"}, {Kind::end_array, {}}};
    for (std::size_t i = 0; i < text.size() / 16; ++i) {
        for (const JsonToken& token :
             {JsonToken{Kind::begin_array, {}}, JsonToken{Kind::string, "NTE"}, JsonToken{Kind::begin_object, {}},
              JsonToken{Kind::key, "raw"}, JsonToken{Kind::string, "\\X41\\"}, JsonToken{Kind::key, "text"},
              JsonToken{Kind::string, "A"}, JsonToken{Kind::end_object, {}}, JsonToken{Kind::end_array, {}}})
            tokens.push_back(token);
    }
    tokens.push_back({Kind::end_array, {}});
    if (!message_from_json(tokens)) std::abort();
}

bool as_latin1(void*, std::string_view, std::string_view bytes, std::string& out) {
    out.append(bytes.size(), 'x');
    return true;
}

void find_charset(const std::string& text) {
    const CharsetConverter converter{as_latin1, nullptr};
    const Result<Message> opened = Message::open(text);
    if (!opened) std::abort();
    (void)find_msh18(*opened, &converter);
}

void join_pieces(const std::string& text) {
    const std::array<std::string_view, 1> one{text};
    (void)join_continuation(one);
}

struct Case {
    const char* name;
    std::string (*input)(std::size_t size);
    void (*work)(const std::string& input);
};

template <class Function>
void on_message(const std::string& text, Function function) {
    const Result<Message> opened = Message::open(text);
    if (!opened) std::abort();
    function(*opened);
}

const Case kCases[] = {
    {"normalize-line-ends", [](std::size_t n) { return kHead + repeated("\r\n \n", n); },
     [](const std::string& t) { (void)normalize(t); }},
    {"normalize-filler", [](std::size_t n) { return repeated("\x0B \x1C\r", n) + kHead + repeated("\x1C\r \x0B", n); },
     [](const std::string& t) { (void)normalize(t); }},
    {"read-many-segments", [](std::size_t n) { return message("NTE|1||a^b&c~d\r", n); }, read_all},
    {"read-empty-segments", [](std::size_t n) { return message("NTE\r", n); }, read_all},
    {"read-nested-groups", [](std::size_t n) { return message("RGS|1\rAIS|1\rNTE|1||x\r", n); }, read_all},
    {"read-different-names", different_names, read_all},
    {"read-separators-in-a-field", [](std::size_t n) { return field_of("~^&", n); }, read_all},
    {"read-fields", [](std::size_t n) { return field_of("|", n); }, read_all},
    {"escapes-lone", [](std::size_t n) { return repeated("\\", n); }, decode_all},
    {"escapes-unclosed",
     [](std::size_t n) { return repeated("\\aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa|", n); }, decode_all},
    {"escapes-of-one-long-body", [](std::size_t n) { return "\\" + repeated("a", n) + "\\"; }, decode_all},
    {"escapes-hex", [](std::size_t n) { return "\\X" + repeated("C3A9", n) + "\\"; }, decode_all},
    {"escapes-hex-of-no-charset", [](std::size_t n) { return repeated("\\XE9\\", n); }, decode_all},
    {"escapes-layout", [](std::size_t n) { return repeated("\\.in9\\\\.ti9\\\\.br\\", n); }, decode_all},
    {"escape-separators", [](std::size_t n) { return repeated("|^~\\&\n\x01", n); }, decode_all},
    {"escapes-hex-with-a-charset", [](std::size_t n) { return repeated("\\XE9\\", n); }, decode_hex},
    {"build-values", [](std::size_t n) { return repeated("x", n); }, build_message},
    {"read-many-paths", [](std::size_t n) { return message("RGS|1\rAIS|1||x\rNTE|1||y\r", n); }, read_many},
    {"json-back", [](std::size_t n) { return repeated("x", n); }, from_json},
    {"charset-of-a-long-header",
     [](std::size_t n) { return "MSH|^~\\&|" + repeated("\xE9\x7C", n) + repeated("ISO IR87~", n) + "\r"; },
     find_charset},
    {"json-of-segments", [](std::size_t n) { return message("NTE|1||a^b&c~d\r", n); },
     [](const std::string& t) { on_message(t, [](const Message& m) { (void)message_json(m); }); }},
    {"json-of-separators", [](std::size_t n) { return field_of("~^&", n); },
     [](const std::string& t) { on_message(t, [](const Message& m) { (void)message_json(m); }); }},
    {"json-of-components-then-repetitions",
     [](std::size_t n) { return kHead + "NTE|" + repeated("&", n) + repeated("^", n) + repeated("~", n) + "\r"; },
     [](const std::string& t) { on_message(t, [](const Message& m) { (void)message_json(m); }); }},
    {"change-segments", [](std::size_t n) { return message("NTE|1||a^b~c\r", n); }, change},
    {"change-repetitions", [](std::size_t n) { return field_of("a^b~", n); }, change},
    {"batch-messages", [](std::size_t n) { return repeated("MSH|^~\\&|A\r", n); },
     [](const std::string& t) { (void)split_batch(t); }},
    {"batch-envelopes", [](std::size_t n) { return repeated("FHS|^~\\&\rBHS|^~\\&\rBTS|9\r", n); },
     [](const std::string& t) { (void)split_batch(t); }},
    {"batch-stray-text", [](std::size_t n) { return repeated("BTS|1\rx\r", n); },
     [](const std::string& t) { (void)split_batch(t); }},
    {"continuation-of-pieces", [](std::size_t n) { return message("NTE|1\rADD|x\r", n); }, join_pieces},
    {"acknowledge-long-header",
     [](std::size_t n) { return "MSH|^~\\&|" + repeated("A\\T\\", n) + "|" + repeated("B^", n) + "\r"; }, acknowledge},
    {"acknowledge-long-text", [](std::size_t n) { return field_of("|^~\\&", n); }, acknowledge},
    {"charset-not-utf8", [](std::size_t n) { return kHead + repeated("\xE9\xC3", n); },
     [](const std::string& t) { (void)to_utf8(t, "8859/1"); }},
    {"charset-names", [](std::size_t n) { return repeated("ISO IR87~", n); },
     [](const std::string& t) { (void)declared_encoding(t, '~', t); }},
    {"timestamp-digits", [](std::size_t n) { return repeated("20260101", n); },
     [](const std::string& t) { (void)Timestamp::parse(t); }},
    {"siu-resources",
     [](std::size_t n) { return message("RGS|1\rAIS|1||CT^x|20260101\rAIL|1||R1\rAIP|1||D^E^F\r", n); },
     [](const std::string& t) { on_message(t, [](const Message& m) { (void)to_json(read_siu(m)); }); }},
    {"siu-notes", [](std::size_t n) { return message("SCH|1\rNTE|1||note\r", n); },
     [](const std::string& t) { on_message(t, [](const Message& m) { (void)to_json(read_siu(m)); }); }},
    {"siu-identifiers", [](std::size_t n) { return kHead + "SCH|1\rPID|1||" + repeated("7^^^H^MR~", n) + "\r"; },
     [](const std::string& t) { on_message(t, [](const Message& m) { (void)to_json(read_siu(m)); }); }},
    {"siu-priority-notes", [](std::size_t n) { return message("SCH|1\rNTE|1||priority\r", n); },
     [](const std::string& t) {
         on_message(t, [](const Message& m) { (void)to_json(read_siu(m, {.priority_notes = true})); });
     }},
    {"orders",
     [](std::size_t n) {
         return "MSH|^~\\&|A|B|||2026||ORM^O01|1|P|2.5\r" + repeated("ORC|NW|1\rOBR|1|2||A\rOBR|1|3\r", n);
     },
     [](const std::string& t) { on_message(t, [](const Message& m) { (void)to_json(read_siu(m)); }); }},
    {"merges",
     [](std::size_t n) { return "MSH|^~\\&|A|B|||2026||ADT^A40|1|P|2.5\r" + repeated("PID|1||7~8\rMRG|9\r", n); },
     [](const std::string& t) { on_message(t, [](const Message& m) { (void)to_json(read_siu(m)); }); }},
    {"validate-segments", [](std::size_t n) { return message("RGS|1\rAIS|1||CT^x|20260101\rAIL|1||R1\r", n); },
     [](const std::string& t) { on_message(t, [](const Message& m) { (void)validate(m); }); }},
    {"validate-faults", [](std::size_t n) { return message("AIS|\r", n); },
     [](const std::string& t) { on_message(t, [](const Message& m) { (void)validate(m); }); }},
    {"validate-repetitions", [](std::size_t n) { return kHead + "PID|1||" + repeated("7^^^H^MR~\\", n) + "\r"; },
     [](const std::string& t) { on_message(t, [](const Message& m) { (void)validate(m); }); }},
    {"validate-names", different_names,
     [](const std::string& t) { on_message(t, [](const Message& m) { (void)validate(m); }); }},
};

} // namespace

// What callgrind counts: not inlined, so that it has a name.
extern "C" [[gnu::noinline]] void work(const Case& chosen, const std::string& input) {
    chosen.work(input);
}

int main(int argc, char** argv) {
    if (argc != 3) {
        for (const Case& each : kCases)
            std::puts(each.name);
        return 0;
    }
    for (const Case& each : kCases) {
        if (std::string_view(argv[1]) != each.name) continue;
        work(each, each.input(static_cast<std::size_t>(std::atoll(argv[2]))));
        return 0;
    }
    std::fprintf(stderr, "there is no case %s\n", argv[1]);
    return 2;
}
