#include "tools/message_file.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <span>

#include <spdlog/fmt/fmt.h>

#include "mllp/frame_reader.hpp"

namespace radscheduler::sidecar::tools {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
constexpr std::array<std::string_view, 4> envelope{"FHS", "BHS", "BTS", "FTS"};

std::vector<std::string> split_frames(std::string_view file) {
    std::vector<std::string> messages;
    mllp::FrameReader reader(std::numeric_limits<std::size_t>::max());
    const std::span<const std::uint8_t> bytes(reinterpret_cast<const std::uint8_t*>(file.data()), file.size());
    for (auto& event : reader.feed(bytes)) {
        if (event.kind == mllp::FrameEvent::Kind::message && !event.bytes.empty()) {
            messages.push_back(std::move(event.bytes).take());
        }
    }
    return messages;
}

std::vector<std::string_view> lines_of(std::string_view file) {
    std::vector<std::string_view> lines;
    while (!file.empty()) {
        const auto end = file.find_first_of("\r\n");
        const auto line = file.substr(0, end);
        if (!line.empty()) {
            lines.push_back(line);
        }
        file.remove_prefix(end == std::string_view::npos ? file.size() : end + 1);
    }
    return lines;
}

// Field `number` of the first MSA segment, with the separator that MSH declares.
std::string msa_field(std::string_view ack, std::size_t number) {
    const char separator = ack.size() > 3 ? ack[3] : '|';
    for (auto line : lines_of(ack)) {
        if (line.substr(0, 3) != "MSA") {
            continue;
        }
        for (std::size_t i = 0; i < number; ++i) {
            const auto at = line.find(separator);
            if (at == std::string_view::npos) {
                return {};
            }
            line.remove_prefix(at + 1);
        }
        return std::string(line.substr(0, line.find(separator)));
    }
    return {};
}

} // namespace

std::vector<std::string> split_messages(std::string_view file) {
    if (file.find(mllp::start_block) != std::string_view::npos) {
        auto framed = split_frames(file);
        if (!framed.empty()) {
            return framed;
        }
    }
    if (file.substr(0, byte_order_mark.size()) == byte_order_mark) {
        file.remove_prefix(byte_order_mark.size());
    }
    std::vector<std::string> messages;
    for (const auto line : lines_of(file)) {
        const auto name = line.substr(0, 3);
        if (std::find(envelope.begin(), envelope.end(), name) != envelope.end()) {
            continue;
        }
        if (messages.empty() || name == "MSH") {
            messages.emplace_back(line);
        } else {
            messages.back() += '\r';
            messages.back() += line;
        }
    }
    return messages;
}

std::string ack_code(std::string_view ack) {
    return msa_field(ack, 1);
}

std::string ack_control_id(std::string_view ack) {
    return msa_field(ack, 2);
}

std::string readable(std::string_view message) {
    std::string text;
    for (const auto line : lines_of(message)) {
        for (const char c : line) {
            const auto byte = static_cast<unsigned char>(c);
            if (byte < 0x20 || byte == 0x7f) {
                text += fmt::format("<{:02X}>", byte);
            } else {
                text += c;
            }
        }
        text += '\n';
    }
    return text;
}

} // namespace radscheduler::sidecar::tools
