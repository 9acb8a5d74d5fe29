// Purpose: splits what a file or a transfer holds into its messages: FHS BHS MSH… BTS FTS in any arrangement, whole or
// broken, several files joined, or messages one after the other without any envelope.
//
// Invariants: everything that begins like a message (MSH at the start of a line) is in `messages`, in order, however
// broken the envelope around it; nothing else is. Bytes that belong to no message and no envelope are reported by
// place. The envelope never changes a message: each reads its own delimiters. Lines end in CR, LF or CRLF; framing
// bytes (0x0B, 0x1C), NULs, byte-order marks and blanks before a header are skipped. Works on bytes of any charset that
// contains ASCII and costs one pass.
// Source: HL7 v2.5 chapters 2.10.3 (batch protocol), 2.15.2, 2.15.3, 2.15.6, 2.15.7 (BHS, BTS, FHS, FTS).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace radscheduler {

struct BatchMessage {
    std::size_t ordinal = 0; // from 1
    std::size_t file = 0;    // which FHS it stands under, from 1; 0 outside any
    std::size_t batch = 0;   // which BHS, counted from 1 through the whole input; 0 outside any
    std::size_t offset = 0;  // byte of its MSH in the input
    std::string text;        // canonical (see message.hpp); Message::open() may still refuse it: BAD_DELIMITERS
};

// Codes: BATCH_COUNT_WRONG, FILE_COUNT_WRONG, BATCH_TRAILER_MISSING, FILE_TRAILER_MISSING, BATCH_HEADER_MISSING,
// FILE_HEADER_MISSING, BATCH_EMPTY, FILE_EMPTY, MESSAGE_OUTSIDE_BATCH, STRAY_CONTENT, BAD_DELIMITERS, NUL_BYTE,
// MORE_WARNINGS.
struct BatchWarning {
    std::string code;
    std::string path;        // "BTS-1"; empty for content that is no segment of the envelope
    std::size_t message = 0; // ordinal of the last message begun before this place (MESSAGE_OUTSIDE_BATCH: of the
                             // first one outside); 0 before the first
    std::size_t file = 0;
    std::size_t batch = 0;
    std::size_t offset = 0; // bytes of the input that are meant: a header or trailer, or the stray content
    std::size_t length = 0; // 0: a place, what is missing there
    std::string text;       // sentence
};

struct BatchReading {
    std::vector<BatchMessage> messages;
    std::vector<BatchWarning> warnings; // as they were noticed: at most kMaxBatchWarnings, then one MORE_WARNINGS
};

inline constexpr std::size_t kMaxBatchWarnings = 10000;

// NUL bytes inside a message are left out of its text (NUL_BYTE says how many).
BatchReading split_batch(std::string_view bytes);

} // namespace radscheduler
