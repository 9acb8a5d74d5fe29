// How the HTTP server hands a connection over: the request has been read and its route found, nothing has been
// answered. Only translation units that know Beast include this.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include "http/message.hpp"
#include "http/stream.hpp"

namespace radscheduler::sidecar::live {

struct Call {
    http::Stream& stream;
    boost::beast::flat_buffer& buffer; // what was read beyond the request
    const boost::beast::http::request<boost::beast::http::string_body>& header;
    const http::Request& request;            // route, query, peer, trace
    const std::vector<std::string>& origins; // whose pages may connect, besides the server's own
};

} // namespace radscheduler::sidecar::live
