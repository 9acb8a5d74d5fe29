// The stored form of the type hl7: one version byte, then the message as UTF-8 text with CR as segment end. The version
// byte lets a later form stand beside this one without rewriting tables.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "radscheduler/message.hpp"

#include "guard.hpp"

namespace radscheduler::pg {

inline constexpr char kStoredVersion = 1;

// Validates and stores. False with the failure set: 22P02 when the text is no message, 54000 when it is too large.
bool store_message(std::string_view text, Datum* result, Failure* failure);

// The stored value in argument `argument`. Where the paths look at nothing behind the first segment, a value that is
// stored out of line or compressed is fetched as far as that segment only. May longjmp.
const struct varlena* fetch_stored(FunctionCallInfo fcinfo, int argument, std::span<const Path> paths);

// The text of a stored message; throws std::runtime_error when the version byte is not ours (a downgrade).
std::string_view stored_text(const struct varlena* value);

// Opens a stored message; throws when the stored text is not what store_message() lets in.
Message open_stored(const struct varlena* value);

} // namespace radscheduler::pg
