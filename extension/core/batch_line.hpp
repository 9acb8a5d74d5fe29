// One line of a batch file: where it ends, what it begins, what a trailer counts.
//
// Invariants: a line is told from the name at its start alone, never from the delimiters of another header. Every
// function looks at the bytes of one line only, so that a pass over all lines is linear.
#pragma once

#include <cstddef>
#include <string_view>

namespace radscheduler {

enum class BatchLine { message, batch_header, file_header, batch_trailer, file_trailer, other };

// What begins here. A name counts only if something follows that can separate fields, or nothing at all: free text
// that was wrapped ("MSH is missing") goes on being part of its message.
BatchLine batch_line(std::string_view line);

// End of the line that begins at `begin`: its CR or LF, or a framing byte (0x0B, 0x1C) or NUL with a header or trailer
// right behind. The size of the text when there is neither.
std::size_t batch_line_end(std::string_view bytes, std::size_t begin);

// Where the content of the line [begin, end) begins, behind blanks, framing bytes, NULs and byte-order marks; `end`
// when there is none.
std::size_t batch_content_begin(std::string_view bytes, std::size_t begin, std::size_t end);

// Without the blanks and framing bytes at its end.
std::string_view without_framing(std::string_view line);

// BTS-1 or FTS-1 when it is a number that can be a count (at most nine digits). The trailer brings its own separator.
bool read_batch_count(std::string_view line, std::size_t& count);

} // namespace radscheduler
