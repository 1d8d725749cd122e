/** The version this source tree builds; the package's file name and `obproxy -V` are made of it. */
export const PROXY_VERSION = '4.3.2.0'
export const BUILD_NUMBER = '1'
