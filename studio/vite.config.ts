import { defineConfig } from "vite";

// Names without hashes: the build is committed, and the server tells browsers to ask whether it changed.
export default defineConfig({
  build: {
    outDir: "../src/sorairo/server/studio",
    emptyOutDir: true,
    modulePreload: false,
    cssCodeSplit: false,
    rollupOptions: { output: { entryFileNames: "app.js", assetFileNames: "app[extname]", codeSplitting: false } },
  },
  server: { proxy: { "/v1": "http://127.0.0.1:8437" } },
});
