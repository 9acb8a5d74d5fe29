// Batch files: every message is found again, in order and canonical, and every warning points into the input.
#include "check.hpp"
#include "radscheduler/batch.hpp"
#include "radscheduler/message.hpp"

#include <cstddef>
#include <cstdint>

using namespace radscheduler;

namespace {

// Lines that no reading could take for anything but the begin of a message.
std::size_t plain_headers(std::string_view bytes) {
    std::size_t count = 0;
    while (!bytes.empty()) {
        count += bytes.starts_with("MSH|") ? 1 : 0;
        const std::size_t end = bytes.find_first_of("\r\n");
        bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
    }
    return count;
}

void check_messages(const BatchReading& reading, std::string_view bytes) {
    FUZZ_CHECK(reading.messages.size() >= plain_headers(bytes));
    std::size_t behind = 0;
    std::size_t file = 0;
    std::size_t batch = 0;
    for (std::size_t i = 0; i < reading.messages.size(); ++i) {
        const BatchMessage& message = reading.messages[i];
        FUZZ_CHECK(message.ordinal == i + 1);
        FUZZ_CHECK(message.offset >= behind);
        FUZZ_CHECK(bytes.substr(message.offset).starts_with("MSH"));
        behind = message.offset + 3;
        FUZZ_CHECK(message.file == 0 || message.file >= file);
        FUZZ_CHECK(message.batch == 0 || message.batch >= batch);
        file = message.file == 0 ? file : message.file;
        batch = message.batch == 0 ? batch : message.batch;
        FUZZ_CHECK(message.text.starts_with("MSH"));
        const Result<std::string> again = normalize(message.text);
        FUZZ_CHECK(again && *again == message.text);
    }
}

void check_warnings(const BatchReading& reading, std::size_t size) {
    FUZZ_CHECK(reading.warnings.size() <= kMaxBatchWarnings + 1);
    for (const BatchWarning& warning : reading.warnings) {
        FUZZ_CHECK(!warning.code.empty() && !warning.text.empty());
        FUZZ_CHECK(warning.message <= reading.messages.size());
        FUZZ_CHECK(warning.offset <= size && warning.length <= size - warning.offset);
    }
}

// The messages written one after the other are the same messages again.
void check_joined(const BatchReading& reading) {
    std::string joined;
    for (const BatchMessage& message : reading.messages)
        joined += message.text;
    const BatchReading again = split_batch(joined);
    FUZZ_CHECK(again.messages.size() == reading.messages.size());
    for (std::size_t i = 0; i < again.messages.size(); ++i)
        FUZZ_CHECK(again.messages[i].text == reading.messages[i].text);
    for (const BatchWarning& warning : again.warnings)
        FUZZ_CHECK(warning.code == "BAD_DELIMITERS");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const BatchReading reading = split_batch(bytes);
    check_messages(reading, bytes);
    check_warnings(reading, size);
    // A NUL that was left out may have stood within a name.
    if (bytes.find('\0') == std::string_view::npos) check_joined(reading);
    return 0;
}
