package org.apache.beam.sdk.util.construction.resources;

import io.github.classgraph.ClassGraph;
import java.util.Collections;
import java.util.List;

/**
 * Finds no jars for Beam's job server to upload with each job.
 *
 * <p>Beam's class of this name finds all that is on the server's class path, some 150 MB. The script
 * puts them on the class path of Flink itself. This class takes the place of Beam's in the fetched
 * jar.
 */
public class ClasspathScanningResourcesDetector implements PipelineResourcesDetector {
  public ClasspathScanningResourcesDetector(ClassGraph classGraph) {}

  @Override
  public List<String> detect(ClassLoader classLoader) {
    return Collections.emptyList();
  }
}
