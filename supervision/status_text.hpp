#pragma once
// What sys::get_status and crash reports show of a supervisor, bounded whatever it supervises.

#include <span>
#include <string>
#include <string_view>

#include <coterie/child_spec.hpp>

namespace coterie::detail {

/// Children of whom the text tells one by one.
inline constexpr std::size_t children_shown = 50;

/// {supervisor,one_for_one,{intensity,3,5000},{children,2,active,2},[{cache,<0.3.1>,worker},...]}
std::string supervisor_text(std::string_view strategy, std::size_t max_restarts,
                            Duration max_seconds, const ChildCount& count,
                            std::span<const ChildInfo> shown);

}  // namespace coterie::detail
