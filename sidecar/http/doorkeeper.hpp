// Who a request is from, and whether it may come in: tokens are checked here, API keys and logins are asked of the
// database. Decisions are in auth/; this asks and answers.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include <boost/asio/thread_pool.hpp>

#include "auth/jwt.hpp"
#include "auth/key_set.hpp"
#include "auth/principal.hpp"
#include "auth/throttle.hpp"
#include "db/pool.hpp"
#include "http/message.hpp"
#include "net/asio.hpp"

namespace radscheduler::sidecar::http {

struct DoorOptions {
    bool required = false; // without: everybody is let in as nobody, and a credential that is sent must still be good
    auth::KeySet keys;
    auth::Rules rules;
    std::size_t rate = 0; // requests a second of one principal; 0: no limit
};

class Doorkeeper {
public:
    Doorkeeper(std::shared_ptr<db::Pool> pool, DoorOptions options);

    using Admission = std::variant<auth::Principal, Response>;
    // `authorization` and `api_key` as sent; `scope` is what the route needs (router.hpp).
    Task<Admission> admit(std::string authorization, std::string api_key, std::string_view scope, std::string peer);

    // POST /api/v1/auth/login {login, password, site}: a token for 8 hours.
    Task<Response> login(const Request& request);

    // GET /api/v1/auth/me
    static Response me(const auth::Principal& principal);

private:
    Task<Admission> admit_key(const std::string& id, const std::string& hash, const std::string& peer);
    Task<bool> is_password(std::string password, std::string hash);

    std::shared_ptr<db::Pool> pool_;
    DoorOptions options_;
    auth::Throttle requests_;
    auth::Throttle logins_; // by address
    asio::thread_pool hashing_{1};
};

} // namespace radscheduler::sidecar::http
