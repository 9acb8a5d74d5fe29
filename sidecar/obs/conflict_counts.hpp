// Conflicts that messages were told of, by code.
// Invariant: what becomes a label is a word of capitals, and only so many of them; sites may have rules of their own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace radscheduler::sidecar {

class ConflictCounts {
public:
    static constexpr std::size_t most_codes = 100;
    static constexpr std::size_t longest_code = 40;

    // Codes separated by blanks, as the statement gives them.
    void add(std::string_view codes) {
        while (!codes.empty()) {
            const auto end = std::min(codes.find(' '), codes.size());
            add_one(codes.substr(0, end));
            codes.remove_prefix(std::min(end + 1, codes.size()));
        }
    }
    const std::map<std::string, std::uint64_t, std::less<>>& counts() const { return counts_; }

private:
    void add_one(std::string_view code) {
        const auto is_capital = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
        const bool good = !code.empty() && code.size() <= longest_code &&
                          std::all_of(code.begin(), code.end(), is_capital) &&
                          (counts_.size() < most_codes || counts_.find(code) != counts_.end());
        ++counts_[good ? std::string(code) : "OTHER"];
    }

    std::map<std::string, std::uint64_t, std::less<>> counts_;
};

} // namespace radscheduler::sidecar
