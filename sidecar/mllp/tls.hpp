// The TLS of a listener: TLS 1.2 and later, the files of the configuration, read again on demand.
// Invariant: a reload that fails changes nothing; connections keep what they began with.
#pragma once

#include <memory>
#include <string>

#include <boost/asio/ssl/context.hpp>

#include "mllp/listener.hpp"

namespace radscheduler::sidecar::mllp {

struct TlsLoaded {
    std::shared_ptr<boost::asio::ssl::context> context;
    std::string problem; // which file, and why
};
TlsLoaded load_tls(const TlsFiles& files);

} // namespace radscheduler::sidecar::mllp
