// What a client takes: Accept and Accept-Encoding (RFC 9110, 12.5). No I/O.
#pragma once

#include <string_view>

#include "http/route.hpp"

namespace radscheduler::sidecar::http {

// Whether an Accept header takes a media type; a header that was not sent (empty) takes all.
bool accepts(std::string_view accept, std::string_view type);

// Whether it takes anything that a kind of answer can be.
bool accepts_answer(std::string_view accept, AnswerKind kind);

// The media types of a kind of answer, for people.
std::string_view answer_types(AnswerKind kind);

// Whether an Accept-Encoding header takes gzip.
bool accepts_gzip(std::string_view accept_encoding);

} // namespace radscheduler::sidecar::http
