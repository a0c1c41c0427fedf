//! What the CUDA driver knows that neither tch nor LibTorch's C++ headers for the CPU say.

#![expect(unsafe_code, reason = "loads LibTorch's CUDA half and asks libcuda: each block says why it holds")]

use std::ffi::{CStr, CString, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

type Init = unsafe extern "C" fn(u32) -> c_int;
type DeviceAttribute = unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int;

/// `CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR` and `_MINOR` of the driver API.
const MAJOR: c_int = 75;
const MINOR: c_int = 76;

/// Loads `libtorch_cuda.so`, which makes itself known to the LibTorch that is linked; has to come before the first question
/// for CUDA, whose answer LibTorch keeps. The message is the loader's.
pub fn load_cuda(library: &Path) -> Result<(), String> {
    let path = CString::new(library.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    // SAFETY: `path` ends with a NUL. What runs on loading is what would run before `main` if the library were linked, and
    // it is never unloaded. The loader's message is copied before anything else asks it.
    unsafe {
        if !libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL).is_null() {
            return Ok(());
        }
        let message = libc::dlerror();
        if message.is_null() {
            Err(String::new())
        } else {
            Err(CStr::from_ptr(message).to_string_lossy().into_owned())
        }
    }
}

/// Major and minor compute capability of a device; `None` where there is no driver or no such device.
pub(crate) fn compute_capability(index: usize) -> Option<(u32, u32)> {
    let index = c_int::try_from(index).ok()?;
    // SAFETY: the library is never closed, so its functions stay valid; both have had these signatures since CUDA 2,
    // and the out-parameter outlives the call. Device ordinals are handles in the driver API.
    unsafe {
        let library = libc::dlopen(c"libcuda.so.1".as_ptr(), libc::RTLD_NOW);
        let init: Init = std::mem::transmute(symbol(library, c"cuInit")?);
        let attribute: DeviceAttribute = std::mem::transmute(symbol(library, c"cuDeviceGetAttribute")?);
        if init(0) != 0 {
            return None;
        }
        let mut found = [0; 2];
        for (value, name) in found.iter_mut().zip([MAJOR, MINOR]) {
            if attribute(value, name, index) != 0 {
                return None;
            }
        }
        Some((u32::try_from(found[0]).ok()?, u32::try_from(found[1]).ok()?))
    }
}

/// The address of a function; `None` where library or function is missing.
unsafe fn symbol(library: *mut c_void, name: &CStr) -> Option<*mut c_void> {
    if library.is_null() {
        return None;
    }
    // SAFETY: `library` came from dlopen and `name` ends with a NUL.
    let address = unsafe { libc::dlsym(library, name.as_ptr()) };
    (!address.is_null()).then_some(address)
}
