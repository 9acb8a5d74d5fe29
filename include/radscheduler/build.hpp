// Purpose: a new message from paths and values.
//
// Segments appear in the order in which they are first named; a segment is named by number (NTE[2]-3), and the next
// number adds one. Each value costs the segment it goes into, not the message. Groups and `*` have no meaning in a
// message that is not there yet and are refused. Source: HL7 v2.5 chapter 2.5.
#pragma once

#include "radscheduler/path.hpp"
#include "radscheduler/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace radscheduler {

class MessageBuilder {
public:
    // Errors: bad_delimiters when the texts cannot serve as MSH-1 and MSH-2.
    static Result<MessageBuilder> start(std::string_view separator = "|", std::string_view encoding = "^~\\&");

    // Puts a text (escaped; two quotes are the HL7 null) at a place. Errors: bad_edit, as set_text(); nothing has
    // changed then.
    Result<bool> set(const Path& path, std::string_view text);

    // Canonical text.
    std::string text() const;

private:
    explicit MessageBuilder(std::string header) : header_(std::move(header)), segments_{header_} {}

    std::string header_; // MSH with nothing behind MSH-2: what declares the delimiters for one segment alone
    std::vector<std::string> segments_;            // canonical, each with its CR
    std::vector<std::vector<std::size_t>> places_; // by name: where its segments stand
    std::vector<std::string> names_;
};

} // namespace radscheduler
