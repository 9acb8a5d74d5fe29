// The one place that names Boost.Asio's parts for the rest of the daemon.
#pragma once

#include <chrono>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace radscheduler::sidecar {

namespace asio = boost::asio;
using error_code = boost::system::error_code;

template <class T>
using Task = asio::awaitable<T>;

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

// Completion token: the coroutine waits, and the error lands in `ec` instead of being thrown.
inline auto into(error_code& ec) {
    return asio::redirect_error(asio::use_awaitable, ec);
}

inline Milliseconds since(Clock::time_point start) {
    return std::chrono::duration_cast<Milliseconds>(Clock::now() - start);
}

} // namespace radscheduler::sidecar
