#include "auth/password.hpp"

#include <array>
#include <memory>

#include <crypt.h>
#include <openssl/crypto.h>

#include "obs/text.hpp"

namespace radscheduler::sidecar::auth {
namespace {

constexpr std::size_t shortest = 12;
constexpr std::size_t longest = 512;
// A hash nobody has the password of: an unknown user takes as long as a wrong password.
constexpr const char* nobodys = "$y$j9T$5LcLvRmPgheDYRFOvl7hn.$Wpso.fqMz8BcmUGcpGzw8BX72OE59gpo4/pDzayBL.B";

} // namespace

std::string hash_password(const std::string& password) {
    std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> salt{};
    if (crypt_gensalt_rn("$y$", 0, nullptr, 0, salt.data(), static_cast<int>(salt.size())) == nullptr) {
        return {};
    }
    const auto data = std::make_unique<crypt_data>();
    const char* hash = crypt_rn(password.c_str(), salt.data(), data.get(), sizeof(*data));
    return hash != nullptr ? std::string(hash) : std::string();
}

bool is_password(const std::string& password, const std::string& hash) {
    const auto data = std::make_unique<crypt_data>();
    const bool strong =
        hash.rfind("$y$", 0) == 0 || hash.rfind("$2", 0) == 0 || hash.rfind("$7$", 0) == 0 || hash.rfind("$6$", 0) == 0;
    const char* made = crypt_rn(password.c_str(), strong ? hash.c_str() : nobodys, data.get(), sizeof(*data));
    if (!strong || made == nullptr) {
        return false;
    }
    const std::string_view text(made);
    return text.size() == hash.size() && CRYPTO_memcmp(text.data(), hash.data(), hash.size()) == 0;
}

std::string password_problem(std::string_view password) {
    if (password.size() < shortest || password.size() > longest) {
        return "A password has 12 to 512 bytes.";
    }
    return is_storable_text(password) ? "" : "A password is text in UTF-8.";
}

} // namespace radscheduler::sidecar::auth
