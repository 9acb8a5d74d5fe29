// Passwords, hashed by libxcrypt: yescrypt for new ones, any of its strong kinds (bcrypt, scrypt, SHA-512) for those
// that were hashed before. Both functions take tens of milliseconds by design: call them off the thread that serves
// others.
#pragma once

#include <string>
#include <string_view>

namespace radscheduler::sidecar::auth {

// Empty when the system gives no randomness.
std::string hash_password(const std::string& password);

// False for a hash that cannot be understood, too; takes as long then as for a wrong password.
bool is_password(const std::string& password, const std::string& hash);

// What is wrong with a new password, as a sentence; empty when it will do: 12 to 512 bytes, valid UTF-8 without NUL.
std::string password_problem(std::string_view password);

} // namespace radscheduler::sidecar::auth
