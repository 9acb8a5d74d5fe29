// Texts in and out of SQL: see value_text.hpp.
#include "value_text.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#include "radscheduler/charset.hpp"
#include "radscheduler/delimiters.hpp"

#include "received.hpp"

namespace radscheduler::pg {

namespace {

bool is_null(const Value& value) {
    return value.state == State::absent || value.state == State::empty;
}

bool needs_decoding(const Value& value, const Path& path, const Delimiters& delimiters) {
    if (value.state != State::value || delimiters.escape == '\0') return false;
    if (path.field <= 2 && is_header_name(path.segment_name())) return false;
    return value.raw.find(delimiters.escape) != std::string_view::npos;
}

// Appends 4-byte-aligned texts to an array value whose head has been written.
class ElementWriter {
public:
    explicit ElementWriter(char* data) : position_(data) {}

    void add(std::string_view text) {
        SET_VARSIZE(position_, VARHDRSZ + text.size());
        std::memcpy(position_ + VARHDRSZ, text.data(), text.size());
        position_ += VARHDRSZ + text.size();
        for (; reinterpret_cast<std::uintptr_t>(position_) % ALIGNOF_INT != 0; ++position_)
            *position_ = 0;
    }

private:
    char* position_;
};

} // namespace

struct varlena* text_of(const Value& value, const Path& path, const Message& message, Formatting formatting) {
    if (is_null(value)) return nullptr;
    if (!needs_decoding(value, path, message.delimiters())) return varlena_of(value.raw);
    const DeclaredHexText hex(message);
    return varlena_of(decode(value.raw, message.delimiters(), {formatting, hex.hook()}));
}

Datum text_array_of(std::span<const Value> values, std::span<const Path> paths, const Message& message) {
    const DeclaredHexText hex(message);
    const DecodeOptions options{Formatting::line_breaks, hex.hook()};
    std::vector<std::string> decoded;
    std::vector<std::string_view> texts(values.size());
    std::size_t nulls = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const Path& path = paths[paths.size() == 1 ? 0 : i];
        nulls += is_null(values[i]) ? 1 : 0;
        if (is_null(values[i])) continue;
        texts[i] = values[i].raw;
        if (!needs_decoding(values[i], path, message.delimiters())) continue;
        if (decoded.empty()) decoded.reserve(values.size()); // so that the views stay where they are
        texts[i] = decoded.emplace_back(decode(values[i].raw, message.delimiters(), options));
    }
    const auto count = static_cast<int>(values.size());
    std::size_t size = count == 0   ? sizeof(ArrayType)
                       : nulls != 0 ? ARR_OVERHEAD_WITHNULLS(1, count)
                                    : ARR_OVERHEAD_NONULLS(1);
    const auto head = size;
    for (std::size_t i = 0; i < texts.size(); ++i)
        size += is_null(values[i]) ? 0 : INTALIGN(VARHDRSZ + texts[i].size());
    if (size > MaxAllocSize) throw std::bad_alloc();
    auto* memory = static_cast<char*>(allocate(size));
    std::memset(memory, 0, head);
    auto* array = reinterpret_cast<ArrayType*>(memory);
    SET_VARSIZE(array, size);
    array->ndim = count == 0 ? 0 : 1;
    array->dataoffset = nulls != 0 ? static_cast<int32>(head) : 0;
    array->elemtype = TEXTOID;
    if (count == 0) return PointerGetDatum(array);
    ARR_DIMS(array)[0] = count;
    ARR_LBOUND(array)[0] = 1;
    bits8* present = ARR_NULLBITMAP(array);
    ElementWriter writer(ARR_DATA_PTR(array));
    for (std::size_t i = 0; i < texts.size(); ++i) {
        if (is_null(values[i])) continue;
        if (present != nullptr) present[i / 8] |= static_cast<bits8>(1U << (i % 8));
        writer.add(texts[i]);
    }
    return PointerGetDatum(array);
}

SqlTexts texts_of(FunctionCallInfo fcinfo, int argument) {
    if (PG_ARGISNULL(argument)) return {nullptr, 0};
    ArrayType* array = PG_GETARG_ARRAYTYPE_P(argument);
    Datum* values = nullptr;
    bool* nulls = nullptr;
    int count = 0;
    deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
    auto* items = static_cast<SqlText*>(palloc0(sizeof(SqlText) * (count + 1)));
    for (int i = 0; i < count; ++i) {
        if (nulls[i]) continue;
        struct varlena* value = PG_DETOAST_DATUM_PACKED(values[i]);
        items[i] = {VARDATA_ANY(value), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(value))};
    }
    return {items, count};
}

bool bad_path(const Error& error, std::string_view path, Failure* failure) {
    constexpr std::size_t longest_shown = 100;
    const std::string shown(utf8_prefix(path, longest_shown));
    // Both lines begin at the left edge, so that the mark stands under the character at fault.
    const std::string_view before = utf8_prefix(path, std::min(error.offset, longest_shown));
    const auto column = std::count_if(before.begin(), before.end(), [](char c) { return (c & 0xC0) != 0x80; });
    return failure->set(ERRCODE_INVALID_PARAMETER_VALUE, "\"" + shown + "\" is not an HL7 path: " + error.text,
                        "\n" + shown + "\n" + std::string(static_cast<std::size_t>(column), ' ') + "^");
}

} // namespace radscheduler::pg
