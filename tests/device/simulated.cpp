// A device beside the CPU, for machines without a GPU: its tensors lie in ordinary memory and the CPU computes on them,
// but an operation that is handed tensors of both is refused, as a GPU refuses it. It knows no streams.
#include <set>
#include <string>

#include <ATen/EmptyTensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/native/Resize.h>
#include <ATen/ops/_reshape_alias_cpu_dispatch.h>
#include <ATen/ops/as_strided_cpu_dispatch.h>
#include <ATen/ops/set_cpu_dispatch.h>
#include <ATen/ops/unfold_cpu_dispatch.h>
#include <ATen/ops/view_cpu_dispatch.h>
#include <c10/core/Allocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/extension.h>

namespace {

constexpr c10::DeviceType kSim = c10::DeviceType::PrivateUse1;

struct Memory final : c10::Allocator {
  static void release(void* place) { std::free(place); }
  c10::DataPtr allocate(size_t bytes) override {
    void* place = nullptr;
    if (bytes > 0 && posix_memalign(&place, 64, bytes) != 0) throw std::bad_alloc();
    return {place, place, &release, c10::Device(kSim, 0)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t bytes) const override { std::memcpy(to, from, bytes); }
};
Memory memory;
REGISTER_ALLOCATOR(kSim, &memory);

struct Guard final : c10::impl::DeviceGuardImplInterface {
  static constexpr c10::DeviceType static_type = kSim;
  static c10::Stream only() { return c10::Stream(c10::Stream::DEFAULT, c10::Device(kSim, 0)); }
  c10::DeviceType type() const override { return kSim; }
  c10::Device exchangeDevice(c10::Device device) const override { return device; }
  c10::Device getDevice() const override { return {kSim, 0}; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device) const override { return only(); }
  c10::Stream getDefaultStream(c10::Device) const override { return only(); }
  c10::Stream getNewStream(c10::Device, int) const override { return only(); }
  c10::Stream exchangeStream(c10::Stream) const override { return only(); }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void record(void**, const c10::Stream&, const c10::DeviceIndex, const c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void destroyEvent(void*, const c10::DeviceIndex) const noexcept override {}
  bool queryStream(const c10::Stream&) const override { return true; }
  void synchronizeStream(const c10::Stream&) const override {}
  void recordDataPtrOnStream(const c10::DataPtr&, const c10::Stream&) const override {}
};
C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

struct Hooks final : at::PrivateUse1HooksInterface {
  bool isBuilt() const override { return true; }
  bool isAvailable() const override { return true; }
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
};

const c10::DispatchKeySet kKeys(c10::DispatchKey::PrivateUse1);

at::Tensor empty(
    c10::SymIntArrayRef size, std::optional<at::ScalarType> dtype, std::optional<at::Layout>,
    std::optional<at::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  return at::detail::empty_generic(C10_AS_INTARRAYREF_SLOW(size), &memory, kKeys, c10::dtype_or_default(dtype), format);
}

at::Tensor empty_strided(
    c10::SymIntArrayRef size, c10::SymIntArrayRef stride, std::optional<at::ScalarType> dtype,
    std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(
      C10_AS_INTARRAYREF_SLOW(size), C10_AS_INTARRAYREF_SLOW(stride), &memory, kKeys, c10::dtype_or_default(dtype));
}

// The same memory as a tensor of the CPU.
at::Tensor on_cpu(const at::Tensor& tensor) {
  if (tensor.device().is_cpu()) return tensor;
  c10::Storage kept = tensor.storage();
  char* first = static_cast<char*>(kept.mutable_data()) + tensor.storage_offset() * tensor.element_size();
  return at::from_blob(first, tensor.sizes(), tensor.strides(), [kept](void*) {}, tensor.options().device(at::kCPU));
}

at::Tensor copy_from(const at::Tensor& from, const at::Tensor& to, bool) {
  at::NoGradGuard none;
  if (to.numel() > 0) on_cpu(to).copy_(on_cpu(from.resolve_neg().resolve_conj()));
  return to;
}

at::Tensor copy_from_and_resize(const at::Tensor& from, const at::Tensor& to) {
  at::native::resize_(to, from.sizes(), std::nullopt);
  return copy_from(from, to, false);
}

at::Scalar item(const at::Tensor& tensor) { return on_cpu(tensor).item(); }

at::Tensor as_strided(
    const at::Tensor& x, c10::SymIntArrayRef size, c10::SymIntArrayRef stride, std::optional<c10::SymInt> offset) {
  return at::cpu::as_strided_symint(x, size, stride, offset);
}
at::Tensor view(const at::Tensor& x, c10::SymIntArrayRef size) { return at::cpu::view_symint(x, size); }
at::Tensor reshape_alias(const at::Tensor& x, c10::SymIntArrayRef size, c10::SymIntArrayRef stride) {
  return at::cpu::_reshape_alias_symint(x, size, stride);
}
at::Tensor unfold(const at::Tensor& x, int64_t dim, int64_t size, int64_t step) {
  return at::cpu::unfold(x, dim, size, step);
}
const at::Tensor& resize_(const at::Tensor& x, c10::SymIntArrayRef size, std::optional<at::MemoryFormat> format) {
  return at::native::resize_(x, C10_AS_INTARRAYREF_SLOW(size), format);
}
at::Tensor& set_to_part(
    at::Tensor& x, at::Storage storage, c10::SymInt offset, c10::SymIntArrayRef size, c10::SymIntArrayRef stride) {
  return at::cpu::set__symint(x, storage, offset, size, stride);
}
at::Tensor& set_to_all(at::Tensor& x, at::Storage storage) {
  const int64_t count = storage.nbytes() / x.element_size();
  return at::cpu::set__symint(x, storage, 0, {count}, {1});
}

// What a GPU takes from the CPU as well: positions, and what is copied.
const std::set<std::string> kMixes = {"aten::index.Tensor", "aten::index_put", "aten::index_put_",
                                      "aten::_index_put_impl_", "aten::_to_copy"};

void compute(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const auto& schema = op.schema();
  std::string name = schema.name();
  if (!schema.overload_name().empty()) name += "." + schema.overload_name();
  const auto refuse = [&](const at::Tensor& x) {
    TORCH_CHECK(!x.defined() || !x.device().is_cpu() || x.dim() == 0, name, ": tensors of two devices, sim and cpu");
  };
  if (!kMixes.count(name)) {
    for (const auto& given : torch::jit::last(*stack, schema.arguments().size())) {
      if (given.isTensor()) refuse(given.toTensor());
      if (given.isTensorList()) for (const at::Tensor& x : given.toTensorVector()) refuse(x);
    }
  }
  at::native::cpu_fallback(op, stack);
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("empty.memory_format", &empty);
  m.impl("empty_strided", &empty_strided);
  m.impl("_copy_from", &copy_from);
  m.impl("_copy_from_and_resize", &copy_from_and_resize);
  m.impl("_local_scalar_dense", &item);
  m.impl("as_strided", &as_strided);
  m.impl("view", &view);
  m.impl("_reshape_alias", &reshape_alias);
  m.impl("unfold", &unfold);
  m.impl("resize_", &resize_);
  m.impl("set_.source_Storage", &set_to_all);
  m.impl("set_.source_Storage_storage_offset", &set_to_part);
}
TORCH_LIBRARY_IMPL(_, PrivateUse1, m) { m.fallback(torch::CppFunction::makeFromBoxedFunction<&compute>()); }
TORCH_LIBRARY_IMPL(_, AutogradPrivateUse1, m) { m.fallback(torch::CppFunction::makeFallthrough()); }

}  // namespace

PYBIND11_MODULE(simulated_device, m) {
  m.def("start", [] { at::RegisterPrivateUse1HooksInterface(new Hooks); });
}
